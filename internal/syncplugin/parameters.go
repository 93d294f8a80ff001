package syncplugin

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/acpflow/acpflow/internal/fault"
)

// Sides are the addresses of the pair, seen from the plugin.
type Sides struct {
	Primary string // VIP of the side that is copied from
	Standby string // VIP of the side that the plugin runs on
}

// The parameters of the token way (DR-36). The keys are what ModuleConfig
// publishes; a version that publishes others is not understood.
const (
	activeVIP        = "activeGlobalClusterVIP"
	activeEndpoints  = "activeETCDEndpoints"
	standbyEndpoints = "standbyETCDEndpoints"
	tokenSecretName  = "activeClusterTokenSecret"
)

// Parameters are the plugin's published defaults with the documented parameters
// of its way set: nothing else is changed, and the defaults of sync interval and
// logging stay (DR-31). A version that does not publish a parameter that must be
// set is fault.Gate: setting one that nobody reads would go unnoticed.
func Parameters(way Way, defaults map[string]any, sides Sides) (map[string]any, error) {
	out := runtime.DeepCopyJSON(defaults)
	if way != WayToken {
		return out, nil
	}
	for key, value := range map[string]string{
		activeVIP:        sides.Primary,
		activeEndpoints:  endpoint(sides.Primary),
		standbyEndpoints: endpoint(sides.Standby),
		tokenSecretName:  TokenSecret,
	} {
		old, published := out[key]
		if !published {
			return nil, misfit(key, errors.New("its ModuleConfig does not publish it"))
		}
		if _, isText := old.(string); !isText && old != nil {
			return nil, misfit(key, fmt.Errorf("its ModuleConfig publishes it as %T, not as a text", old))
		}
		out[key] = value
	}
	return out, nil
}

func misfit(key string, cause error) error {
	return fault.New(fault.Gate, "set the synchronizer's parameter "+key, "ModuleConfig of "+Name,
		"install the plugin in Marketplace > Cluster Plugins by hand, then retry; this version names its parameters differently", cause)
}

func endpoint(vip string) string {
	return "https://" + net.JoinHostPort(vip, strconv.Itoa(EtcdPort))
}

package config

// Offer is what this package can install. GET .../base-component-version
// shows it before the POST; a configuration outside of it is refused.
type Offer struct {
	Kubernetes        []string `json:"kubernetes"`        // newest first
	ContainerRuntimes []string `json:"containerRuntimes"` // newest first
	Products          []string `json:"products"`
	NetworkType       string   `json:"networkType"` // ovn or calico, from the flags of setup.sh
	IPFamily          string   `json:"ipFamily"`    // "" or ipv6, from the flags of setup.sh
}

// The network types of an Offer and of the annotation NetworkType.
const (
	OVN    = "ovn"
	Calico = "calico"
)

// DefaultOffer is the stand-in package of product version 4.1.
func DefaultOffer() Offer {
	return Offer{
		Kubernetes:        []string{"v1.32.6", "v1.31.10"},
		ContainerRuntimes: []string{"containerd://1.7.27-4"},
		Products:          []string{"base", "acp"},
		NetworkType:       OVN,
	}
}

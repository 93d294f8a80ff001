package lab

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// PointPlatform makes the platform's name lead to a cluster, as a person with
// the zone's key would. Caches follow within recordTTL.
func (l *Lab) PointPlatform(ctx context.Context, cluster string) error {
	i := slices.IndexFunc(l.state.Clusters, func(c Cluster) bool { return c.Name == cluster })
	if i < 0 {
		return fmt.Errorf("lab %s: there is no cluster %q", l.state.Name, cluster)
	}
	return l.setPlatform(ctx, l.state.Clusters[i].VIP)
}

// setPlatform makes the platform's name lead to an address, or not exist.
func (l *Lab) setPlatform(ctx context.Context, address string) error {
	rr, err := dns.NewRR(fmt.Sprintf("%s. %d IN A %s", Domain, recordTTL, cmp.Or(address, "0.0.0.0")))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(l.state.Dir, FileTSIG))
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(key), `secret "`)
	secret, _, found := strings.Cut(rest, `"`)
	if !found {
		return fmt.Errorf("lab %s: %s holds no secret", l.state.Name, FileTSIG)
	}
	m := new(dns.Msg).SetUpdate(Zone + ".")
	m.RemoveRRset([]dns.RR{rr})
	if address != "" {
		m.Insert([]dns.RR{rr})
	}
	m.SetTsig(TSIGName, dns.HmacSHA256, 300, time.Now().Unix())
	c := &dns.Client{Net: "tcp", Timeout: 5 * time.Second, TsigSecret: map[string]string{TSIGName: secret}}
	answer, _, err := c.ExchangeContext(ctx, m, l.Describe().DNS.Authoritative)
	if err == nil && answer.Rcode != dns.RcodeSuccess {
		err = fmt.Errorf("lab %s: the name server refuses: %s", l.state.Name, dns.RcodeToString[answer.Rcode])
	}
	return err
}

package platform

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// gatewayPath is where the platform's address offers the API of its own cluster,
// as the kubeconfigs that it gives to its users say. It is not in the document,
// so an answer that is no Kubernetes API's counts as not offered.
const gatewayPath = "/kubernetes/global/api/v1/namespaces/kube-system"

// Gateway is who answers behind the platform's address.
type Gateway struct {
	Offered bool   // a Kubernetes API answered
	UID     string // of its namespace kube-system
	Refused bool   // it does not know the token, so it is another cluster's API
	Seen    string // for people
}

var errStrange = errors.New("another certificate than the site's is presented")

// AskGateway reads the namespace kube-system through the platform's address, over
// a fresh connection of its own. The token is sent only to who presents the very
// certificate of the target, which must have one. Errors are fault.Unreachable
// and fault.Protocol when nothing can be told now, fault.Gate when another
// certificate is presented.
func AskGateway(ctx context.Context, dial DialFunc, t Target, token secret.Value) (Gateway, error) {
	const op = "ask the API behind the platform's address"
	want, err := firstCertificate(t.Certificate)
	if err != nil {
		return Gateway{}, fault.New(fault.BadInput, op, t.Address, "check platform.certificate of the site document", err)
	}
	out := Result{URL: "https://" + strings.TrimSuffix(net.JoinHostPort(t.Address, strconv.Itoa(t.Port)), ":443") + gatewayPath, Connected: net.JoinHostPort(t.host(), strconv.Itoa(t.Port))}
	client := t.client(dial, out)
	client.Transport.(*http.Transport).TLSClientConfig.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 || !s.PeerCertificates[0].Equal(want) {
			return errStrange
		}
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, out.URL, http.NoBody)
	if err != nil {
		return Gateway{}, fault.New(fault.BadInput, op, out.URL, "", err)
	}
	req.Header.Set("Authorization", "Bearer "+string(token.Reveal()))
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if errors.Is(err, errStrange) {
		return Gateway{}, fault.New(fault.Gate, op, out.URL+" at "+out.Connected, "check which machine answers behind this address", errStrange)
	}
	if err != nil {
		return Gateway{}, lost(err, out)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, pageLimit))
	if err != nil {
		return Gateway{}, lost(err, out)
	}
	if resp.StatusCode >= 500 {
		return Gateway{}, fault.New(fault.Protocol, op, out.URL+" at "+out.Connected, "", fmt.Errorf("HTTP %d", resp.StatusCode))
	}
	return readGateway(resp.StatusCode, body), nil
}

// readGateway believes only what a Kubernetes API says.
func readGateway(status int, body []byte) Gateway {
	var answer struct {
		Kind     string
		Reason   string
		Metadata struct{ Name, UID string }
	}
	_ = json.Unmarshal(body, &answer) // what is no JSON has no kind
	switch {
	case status == http.StatusOK && answer.Kind == "Namespace" && answer.Metadata.Name == "kube-system" && answer.Metadata.UID != "":
		return Gateway{Offered: true, UID: answer.Metadata.UID, Seen: "the API behind the name is of cluster " + answer.Metadata.UID}
	case status == http.StatusUnauthorized && answer.Kind == "Status" && answer.Reason == "Unauthorized":
		return Gateway{Offered: true, Refused: true, Seen: "the API behind the name does not know the cluster's token"}
	}
	return Gateway{Seen: fmt.Sprintf("%s answers HTTP %d and is no Kubernetes API", gatewayPath, status)}
}

var uuid = regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)

// maxUUIDs bounds what is kept of a page.
const maxUUIDs = 50

func uuids(page []byte) []string {
	var out []string
	for _, m := range uuid.FindAll(page, maxUUIDs) {
		out = append(out, strings.ToLower(string(m)))
	}
	return out
}

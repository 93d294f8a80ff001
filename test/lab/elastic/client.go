package elastic

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/podnet"
)

const templateBody = `{"index_patterns": ["asm-*"], "settings": {"number_of_replicas": 0}}`

// EnsureTemplate is ensure-asm-template.sh: it writes the index template with
// the login that the platform has now and reads it back.
func EnsureTemplate(ctx context.Context, api *kubeapi.Client, out io.Writer) error {
	login, err := ReadLogin(ctx, api)
	if err != nil {
		return err
	}
	pods, err := podnet.Pods(ctx, api, Program, "")
	if err != nil {
		return err
	}
	for _, p := range pods {
		if !p.Ready {
			continue
		}
		for _, method := range []string{http.MethodPut, http.MethodGet} {
			if err := ask(ctx, method, "http://"+p.Address()+"/_template/"+Template, login); err != nil {
				return err
			}
		}
		fmt.Fprintln(out, "the index template is in place")
		return nil
	}
	return errors.New("no Elasticsearch Pod is ready")
}

func ask(ctx context.Context, method, url string, login Login) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(templateBody))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(string(login.Data.Username), string(login.Data.Password))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s _template/%s: HTTP %s: %s", method, Template, resp.Status, strings.TrimSpace(string(text)))
	}
	return err
}

// LoginObject is the Secret with a password. A log store that runs does not
// know a new one: it answers 401 until its Pod is made anew.
func LoginObject(password string) kubeapi.Object {
	encode := base64.StdEncoding.EncodeToString
	return kubeapi.Object{"apiVersion": "v1", "kind": "Secret", "metadata": kubeapi.Object{"name": Secret, "namespace": Namespace},
		"data": kubeapi.Object{"username": encode([]byte("elastic")), "password": encode([]byte(password))}}
}

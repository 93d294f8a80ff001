package config_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// document is a configuration as a client sends it, ready to be bent.
type document = map[string]any

// good is a valid configuration of three control planes and a worker.
func good() document {
	machine := func(ip, role string) document {
		m := document{"ip": ip, "ipv6": "", "port": 22, "username": "ops", "password": "c2VjcmV0", "privateKey": nil, "role": role}
		if role == "master" {
			m["labels"], m["taints"] = nil, []any{document{"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"}}
		}
		return m
	}
	return document{
		"basic": document{"username": "admin", "password": "c2VjcmV0"},
		"console": document{"globalHost": "acp.example.com", "host": []any{"192.0.2.10"},
			"cert": document{"selfSigned": document{}}, "httpsPort": 443, "httpPort": 80},
		"deployMode": "normal",
		"registry":   document{"externalAddress": "", "domain": "192.0.2.10:11443", "username": "", "password": ""},
		"cluster": document{
			"version": "v1.32.6", "networkDevice": "", "properties": document{"maxNodePodNum": 110},
			"features": document{
				"ipv6DualStack": false, "gpuType": "",
				"ha": document{"vip": "192.0.2.10", "vport": 6443, "isThirdParty": true, "vrid": nil},
				"machines": []any{machine("192.0.2.11", "master"), machine("192.0.2.12", "master"),
					machine("192.0.2.13", "master"), machine("192.0.2.14", "node")},
			},
			"clusterCIDR": "10.3.0.0/16", "serviceCIDR": "10.4.0.0/16",
			"kubeletExtraArgs": document{}, "dockerExtraArgs": document{}, "apiServerExtraArgs": document{},
			"controllerManagerExtraArgs": document{}, "schedulerExtraArgs": document{},
			"annotations": document{"cpaas.io/network-type": "ovn", "cpaas.io/container-runtime": "containerd://1.7.27-4",
				"kube-ovn.cpaas.io/join-cidr": "100.64.0.0/16", "kube-ovn.cpaas.io/transmit-type": "overlay"},
			"hostnameAsNodename": false,
		},
		"product":         []any{"base", "acp"},
		"elasticSearch":   document{"nodes": []any{"192.0.2.14"}, "runOnMaster": false, "isUseDefault": true},
		"prometheus":      document{"nodes": []any{}, "runOnMaster": false},
		"victoriametrics": document{"nodes": []any{"192.0.2.11"}, "agentReplicas": 1, "runOnMaster": true},
	}
}

// at walks to a field's parent: object keys and array indices.
func at(t *testing.T, d document, path ...any) document {
	t.Helper()
	var v any = d
	for _, step := range path {
		switch s := step.(type) {
		case string:
			v = v.(document)[s]
		case int:
			v = v.([]any)[s]
		}
	}
	out, ok := v.(document)
	require.True(t, ok, "%v is no object", path)
	return out
}

func encode(t *testing.T, d document) []byte {
	t.Helper()
	data, err := json.Marshal(d)
	require.NoError(t, err)
	return data
}

package checks

var _ = cases("CHK-08", []ruleCase{
	{"root", said{"sudo-user": ""}, nil, Pass, "root"},
	{"sudo", nil, nil, Pass, "installer through sudo"},
	{"not root", said{"uid": "1000\n"}, nil, Fail, "user id 1000"},
	{"not understood", said{"uid": "root\n"}, nil, Error, "root"},
	{"unknown", said{"uid": "!127"}, nil, Error, "uid"},
	{"sudo unknown", said{"sudo-user": "!1"}, nil, Error, "sudo-user"},
})

var _ = cases("CHK-10", func() []ruleCase {
	limit := func(v string) said { return said{"tasks-max": "DefaultTasksMax=" + v + "\n"} }
	return []ruleCase{
		{"infinity", nil, nil, Pass, "infinity"},
		{"infinity of systemd 219", limit("18446744073709551615"), nil, Pass, ""},
		{"infinity of systemd 219, newer edition", limit("18446744073709551615"), profile("acp-4.2"), Pass, ""},
		{"very large", limit("4194304"), nil, Pass, ""},
		{"very large, newer edition", limit("4194304"), profile("acp-4.1"), Fail, "4194304"},
		{"one less than very large", limit("4194303"), nil, Fail, "4194303"},
		{"one less than infinity, newer edition", limit("18446744073709551614"), profile("acp-4.1"), Fail, ""},
		{"one less than infinity, 4.2", limit("18446744073709551614"), profile("acp-4.2"), Fail, ""},
		{"a default", limit("28985"), nil, Fail, "28985"},
		{"EL7's default", limit("512"), nil, Fail, "512"},
		{"empty", limit(""), nil, Error, "not understood"},
		{"something else", said{"tasks-max": "infinity\n"}, nil, Error, "not understood"},
		{"unknown", said{"tasks-max": "!1"}, nil, Error, "tasks-max"},
	}
}())

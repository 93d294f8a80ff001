package fix

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/site"
)

// fixModules loads kernel modules, now and at every boot (CHK-03…CHK-05).
func fixModules(d *draft) {
	old := []string{"nf_conntrack_ipv4"}
	if d.cluster.Network.IPFamily != site.IPv4 {
		old = append(old, "nf_conntrack_ipv6")
	}
	d.modules("CHK-03", "ipvs", "ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh")
	d.modules("CHK-04", "conntrack", old...)
	d.modules("CHK-05", "kube-ovn", "geneve", "openvswitch")
}

func (d *draft) modules(rule, name string, modules ...string) {
	if len(d.need(rule)) == 0 {
		return
	}
	state := map[string]string{}
	for _, w := range d.Survey.rows("modules") {
		if len(w) == 2 {
			state[w[0]] = w[1]
		}
	}
	fix := Fix{ID: "modules-" + name, Title: "Load the kernel modules " + strings.Join(modules, ", "), Rules: []string{rule}}
	for _, m := range modules {
		switch state[m] {
		case "loaded", "builtin":
		case "available":
			fix.Changes = append(fix.Changes, Change{
				Kind: Command, Do: "modprobe " + m, Undo: "modprobe -r " + m + " || true", // in use: it may stay
				Seen: "[ -d /sys/module/" + m + " ]",
			})
		default:
			d.leave("the running kernel has no module "+m, rule)
			return
		}
	}
	path := "/etc/modules-load.d/acpflow-" + name + ".conf"
	fix.Changes = append(fix.Changes, d.edit(path, func(string) string { return strings.Join(modules, "\n") + "\n" }, rule)...)
	d.add(fix)
}

// fixSwap switches swap off, now and for the next boot (CHK-07).
func fixSwap(d *draft) {
	if len(d.need("CHK-07")) == 0 {
		return
	}
	fix := Fix{ID: "swap", Title: "Switch swap off", Rules: []string{"CHK-07"}}
	for _, w := range d.Survey.rows("swaps") {
		if len(w) < 5 || w[0] == "Filename" {
			continue
		}
		area := quote(unescapeMount(w[0]))
		fix.Changes = append(fix.Changes, Change{
			Kind: Command, Do: "swapoff -- " + area, Undo: fmt.Sprintf("swapon%s -- %s", priority(w[4]), area),
			Seen: "! grep -qF -- " + quote(w[0]+" ") + " /proc/swaps",
		})
	}
	fix.Changes = append(fix.Changes, d.edit("/etc/fstab", func(old string) string {
		return eachLine(old, func(line string) string {
			if w := strings.Fields(line); len(w) > 2 && !strings.HasPrefix(w[0], "#") && w[2] == "swap" {
				return "# off for Kubernetes (CHK-07): " + line
			}
			return line
		})
	}, "CHK-07")...)
	d.add(fix)
}

// priority keeps a swap area's own; the kernel numbers the others below zero.
func priority(p string) string {
	if strings.HasPrefix(p, "-") || strings.Trim(p, "0123456789") != "" {
		return ""
	}
	return " -p " + p
}

// unescapeMount undoes the octal escapes of /proc/swaps and /proc/mounts.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// fixBoot sets the kernel's boot parameters (CHK-01, CHK-02). They count after
// a reboot.
func fixBoot(d *draft) {
	want := map[string]string{"CHK-01": "transparent_hugepage=never", "CHK-02": "cgroup.memory=nokmem"}
	rules := d.need("CHK-01", "CHK-02")
	if len(rules) == 0 {
		return
	}
	var parameters []string
	for _, r := range rules {
		parameters = append(parameters, want[r])
	}
	fix := Fix{
		ID: "boot", Title: "Boot with " + strings.Join(parameters, " "), Rules: rules, Reboot: true,
	}
	configs := d.Survey.rows("grub-configs")
	entries := d.Survey.has("grub-configs", "entries") && d.Survey.has("tools", "grubby")
	files := []string{"/etc/default/grub"}
	for path, e := range d.Survey.files {
		if strings.HasPrefix(path, "/etc/default/grub.d/") && strings.Contains(e.content, "GRUB_CMDLINE_LINUX=") {
			files = append(files, path)
		}
	}
	slices.Sort(files)
	if d.Survey.files["/etc/default/grub"].print == Absent || (len(configs) == 0 && !entries) {
		d.leave("the node has no grub configuration that acpflow knows: it boots in another way, or is no machine of its own", rules...)
		return
	}
	for _, path := range files {
		if old, _, ok := d.content(d.real(path)); ok {
			if _, ok := bootWith(old, parameters); !ok {
				d.leave(path+" sets GRUB_CMDLINE_LINUX in a way that acpflow does not edit: add "+strings.Join(parameters, " ")+" by hand", rules...)
				return
			}
		}
		fix.Changes = append(fix.Changes, d.edit(path, func(old string) string { text, _ := bootWith(old, parameters); return text }, rules...)...)
	}
	edited := len(fix.Changes) > 0
	if entries {
		fix.Changes = append(fix.Changes, grubby(parameters)...)
	} else if changes, ok := d.generate(configs, edited, parameters); ok {
		fix.Changes = append(fix.Changes, changes...)
	} else {
		d.leave("no boot menu was found that update-grub or grub2-mkconfig writes", rules...)
		return
	}
	d.add(fix)
}

// generate writes the boot menus anew when their source changed or they lack a
// parameter.
func (d *draft) generate(configs [][]string, edited bool, parameters []string) ([]Change, bool) {
	var out []Change
	menus := 0
	for _, w := range configs {
		path := w[0]
		menu := d.Survey.files[path]
		if !strings.HasPrefix(path, "/") {
			continue
		}
		if strings.Contains(path, "/EFI/") && strings.Contains(menu.content, "configfile $prefix/grub.cfg") {
			continue // a stub that only points at the menu
		}
		menus++
		if !edited && holdsAll(menu.content, parameters) {
			continue
		}
		var do string
		switch {
		case d.Survey.has("tools", "update-grub") && path == "/boot/grub/grub.cfg":
			do = "update-grub"
		case d.Survey.has("tools", "grub2-mkconfig"):
			do = "grub2-mkconfig -o " + quote(path)
		default:
			return nil, false
		}
		for _, p := range parameters { // a menu without them would make the reboot vain
			do += " && grep -qF -- " + quote(p) + " " + quote(path)
		}
		out = append(out, Change{Kind: Generate, Path: path, Before: menu.print, Do: do})
	}
	return out, menus > 0
}

func holdsAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// grubby edits boot loader entries, which a rewritten menu does not reach.
func grubby(parameters []string) []Change {
	var out []Change
	for _, p := range parameters {
		key, _, _ := strings.Cut(p, "=")
		out = append(out, Change{
			Kind: Command, Do: "grubby --update-kernel=ALL --args=" + quote(p), Undo: "grubby --update-kernel=ALL --remove-args=" + quote(key),
			Seen: "! grubby --info=ALL | grep '^args=' | grep -qvF -- " + quote(p),
		})
	}
	return out
}

// grubSetting is a line that sets the parameters, in any form the shell takes;
// grubValue is what follows the sign when it is one plain or quoted word.
var (
	grubSetting = regexp.MustCompile(`(^|[;&\s])GRUB_CMDLINE_LINUX\+?=`)
	grubValue   = regexp.MustCompile("^GRUB_CMDLINE_LINUX=(?:\"([^\"'\\\\$`]*)\"|'([^'\"\\\\]*)'|([^\\s\"'\\\\$`#;&|<>()]*))$")
)

// bootWith puts parameters into GRUB_CMDLINE_LINUX, in place of others of the
// same name. ok is false when a line is set in a way that is not understood: it
// then is a person's to edit.
func bootWith(text string, parameters []string) (out string, ok bool) {
	const name = "GRUB_CMDLINE_LINUX="
	found, ok := false, true
	out = eachLine(text, func(line string) string {
		bare := strings.TrimSpace(line)
		if strings.HasPrefix(bare, "#") || !grubSetting.MatchString(bare) {
			return line
		}
		m := grubValue.FindStringSubmatch(bare)
		if m == nil {
			ok = false
			return line
		}
		found = true
		mark := `"`
		if strings.HasPrefix(bare, name+"'") {
			mark = "'"
		}
		words := strings.Fields(m[1] + m[2] + m[3])
		for _, p := range parameters {
			key, _, _ := strings.Cut(p, "=")
			if slices.Contains(words, p) {
				continue
			}
			words = slices.DeleteFunc(words, func(w string) bool { return strings.HasPrefix(w, key+"=") })
			words = append(words, p)
		}
		return name + mark + strings.Join(words, " ") + mark
	})
	if !found {
		out = endLine(out) + name + `"` + strings.Join(parameters, " ") + "\"\n"
	}
	return out, ok
}

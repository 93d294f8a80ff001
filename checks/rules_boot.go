package checks

import (
	"fmt"
	"slices"
	"strings"
)

const regenerate = "then grub2-mkconfig -o /boot/grub2/grub.cfg (update-grub on Ubuntu), then reboot"

var transparentHugePages = Rule{
	ID: "CHK-01", Title: "Transparent huge pages are off on the kernel's command line", Source: headKernel, Subject: OneNode, Category: Must,
	Want:  hugePages + " in the boot configuration, and active",
	Fix:   "add " + hugePages + " to GRUB_CMDLINE_LINUX in /etc/default/grub, " + regenerate,
	judge: func(s subject) verdict { return judgeCommandLine(s, hugePages) },
}

var kernelMemory = Rule{
	ID: "CHK-02", Title: "CentOS 7 does not account kernel memory", Source: headKernel, Subject: OneNode, Category: Conditional,
	Condition: "the node runs CentOS 7",
	Want:      noKernelMemory + " in the boot configuration, and active",
	Fix:       "add " + noKernelMemory + " to GRUB_CMDLINE_LINUX in /etc/default/grub, " + regenerate,
	judge: func(s subject) verdict {
		id, version, err := s.release()
		switch {
		case err != nil:
			return unknown(err)
		case id != "centos" || version != "7" && !strings.HasPrefix(version, "7."):
			return skipped("the node runs " + clip(id) + " " + clip(version))
		}
		return judgeCommandLine(s, noKernelMemory)
	},
}

const (
	hugePages      = "transparent_hugepage=never"
	noKernelMemory = "cgroup.memory=nokmem"
)

// judgeCommandLine wants a setting where the next boot reads it and on the
// command line of the running kernel. A node without grub boots otherwise:
// there only the running kernel can tell.
func judgeCommandLine(s subject, setting string) verdict {
	line, err := s.line("cmdline")
	if err != nil {
		return unknown(err)
	}
	grub, exists, err := s.file("grub")
	if err != nil {
		return unknown(err)
	}
	active := isSet(bootWords(line), setting)
	if !exists {
		if active {
			return pass("active; the node has no grub")
		}
		return fail("not active; the node has no grub")
	}
	entries := bootEntries(grub)
	if len(entries) == 0 {
		return unknown(fmt.Errorf("grub: its configuration names no kernel"))
	}
	configured := !slices.ContainsFunc(entries, func(e []string) bool { return !isSet(e, setting) })
	switch {
	case active && configured:
		return pass("configured and active")
	case configured:
		return fail("configured, but not active").withFix("reboot the node")
	}
	seen := "not configured"
	if active {
		seen = "active, but gone at the next boot"
	}
	if file, _, err := s.file("grub-default"); err == nil && strings.Contains(file, setting) {
		return fail(seen + ": /etc/default/grub has it, but grub's configuration was not made anew").withFix(strings.TrimPrefix(regenerate, "then "))
	}
	return fail(seen)
}

// isSet reports whether a setting stands, and no later one of its name undoes it.
func isSet(words []string, setting string) bool {
	name, _, _ := strings.Cut(setting, "=")
	last := ""
	for _, w := range words {
		if strings.HasPrefix(w, name+"=") {
			last = w
		}
	}
	return last == setting
}

// bootWords splits a kernel command line: blanks separate, but not between quotes.
// What follows " -- " is for init.
func bootWords(line string) []string {
	var out []string
	var word strings.Builder
	quoted := false
	for _, r := range line + " " {
		switch {
		case r == '"':
			quoted = !quoted
		case !quoted && (r == ' ' || r == '\t' || r == '\n'):
			if word.String() == "--" {
				return out
			}
			if word.Len() > 0 {
				out = append(out, word.String())
			}
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	if word.Len() > 0 {
		out = append(out, word.String())
	}
	return out
}

// bootEntries are the command lines of grub's menu, but for those that only
// rescue. An entry of the boot loader specification takes $kernelopts from
// grub's environment.
func bootEntries(text string) [][]string {
	environment, title := "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "set ")
		if value, ok := strings.CutPrefix(line, "kernelopts="); ok {
			environment = strings.Trim(value, `"`)
		}
	}
	var out [][]string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "title":
			title = line
			continue
		case "linux", "linux16", "linuxefi", "options":
		default:
			continue
		}
		_, rest, _ := strings.Cut(strings.TrimSpace(line), words[0])
		entry := bootWords(strings.ReplaceAll(rest, "$kernelopts", environment))
		rescue := strings.Contains(rest, "0-rescue") || words[0] == "options" && strings.Contains(title, "0-rescue")
		if !rescue && !slices.ContainsFunc(entry, func(w string) bool { return w == "recovery" || w == "single" }) {
			out = append(out, entry)
		}
	}
	return out
}

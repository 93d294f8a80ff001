package checks

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// booted is a node with a kernel's command line and a menu of grub.
func booted(cmdline, grub string) said {
	return said{"cmdline": "BOOT_IMAGE=/vmlinuz root=/dev/sda2 ro " + cmdline + "\n", "grub": grub}
}

// menu is a grub.cfg as Ubuntu and EL7 write it.
func menu(parameters string) string {
	return "\tlinux\t/boot/vmlinuz-5.4.0 root=/dev/sda2 ro " + parameters + "\n" +
		"\t\tlinux\t/boot/vmlinuz-5.4.0 root=/dev/sda2 ro recovery nomodeset\n" +
		"\tlinux16 /vmlinuz-0-rescue-0123 root=/dev/sda2 ro\n"
}

func commandLine(setting string, base said) []ruleCase {
	on := func(s said) said { return with(base, s) }
	return []ruleCase{
		{"configured and active", on(booted(setting, menu("quiet "+setting))), nil, Pass, "configured and active"},
		{"not configured", on(booted("quiet", menu("quiet"))), nil, Fail, "not configured"},
		{"not active", on(booted("quiet", menu(setting))), nil, Fail, "configured, but not active"},
		{"gone at the next boot", on(booted(setting, menu("quiet"))), nil, Fail, "active, but gone at the next boot"},
		{"only some kernels", on(booted(setting, menu(setting)+menu("quiet"))), nil, Fail, "gone at the next boot"},
		{"not made anew", on(booted("quiet", menu("quiet"))).with(said{"grub-default": "GRUB_CMDLINE_LINUX=\"" + setting + "\"\n"}), nil, Fail, "was not made anew"},
		{"undone by a later one", on(booted(setting+" "+setting+"x", menu(setting))), nil, Fail, "not active"},
		{"set later", on(booted(setting+"x "+setting, menu(setting))), nil, Pass, ""},
		{"part of another word", on(booted("x"+setting, menu(setting))), nil, Fail, "not active"},
		{"in quotes of another", on(booted(`dyndbg="file x `+setting+`"`, menu(setting))), nil, Fail, "not active"},
		{"for init", on(booted("-- "+setting, menu(setting))), nil, Fail, "not active"},
		{"an open quote", on(booted(`x="`+setting, menu(setting))), nil, Fail, "not active"},
		{"no grub, active", on(booted(setting, "!66")), nil, Pass, "no grub"},
		{"no grub, not active", on(booted("quiet", "!66")), nil, Fail, "no grub"},
		{"boot loader specification", on(booted(setting, "title A\noptions root=x "+setting+"\n")), nil, Pass, ""},
		{"boot loader specification without it", on(booted(setting, "title A\noptions root=x\n")), nil, Fail, "gone"},
		{"boot loader specification, from the environment", on(booted(setting, "kernelopts=root=x "+setting+"\ntitle A\noptions $kernelopts\n")), nil, Pass, ""},
		{"boot loader specification, not in the environment", on(booted(setting, "title A\noptions $kernelopts "+"\n")), nil, Fail, "gone"},
		{"no kernel in grub", on(booted(setting, "")), nil, Error, "names no kernel"},
		{"grub unknown", on(booted(setting, "!2")), nil, Error, "grub"},
		{"command line unknown", on(said{"cmdline": "!1"}), nil, Error, "cmdline"},
	}
}

var centos79 = centos("7.9.2009", "3.10.0-1160.el7.x86_64")

var _ = cases("CHK-01", append(commandLine(hugePages, nil), ruleCase{"another value", booted("transparent_hugepage=madvise", menu(hugePages)), nil, Fail, "not active"}))

var _ = cases("CHK-02", append(commandLine(noKernelMemory, centos79),
	ruleCase{"RHEL 7", with(booted("quiet", menu("quiet")), rhel78node), nil, Skipped, "rhel 7.8"},
	ruleCase{"CentOS 8", with(booted("quiet", menu("quiet")), osOf("centos", "8", "4.18.0-1.el8.x86_64"), said{"centos-release": "CentOS Linux release 8.5.2111\n"}), nil, Skipped, "centos 8.5"},
	ruleCase{"system unknown", said{"os-release": "!1"}, nil, Error, "os-release"},
))

func TestBootFix(t *testing.T) {
	f := judged(t, "CHK-01", rhel86().with(booted("quiet", menu(hugePages))))
	assert.Equal(t, "reboot the node", f.Fix)
	f = judged(t, "CHK-01", rhel86().with(booted("quiet", menu("quiet"))).with(said{"grub-default": hugePages}))
	assert.True(t, strings.HasPrefix(f.Fix, "grub2-mkconfig"), f.Fix)
}

package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// owner names the program that has a port, " by etcd (pid 9)", or "" when the
// kernel itself has it or it can't be told.
func owner(network string, port int) string {
	inodes := map[string]bool{}
	for _, table := range []string{network, network + "6"} {
		for inode := range sockets("/proc/net/"+table, port, network == "tcp") {
			inodes["socket:["+inode+"]"] = true
		}
	}
	if len(inodes) == 0 {
		return ""
	}
	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, d := range descriptors {
		if link, err := os.Readlink(d); err != nil || !inodes[link] {
			continue
		}
		pid := strings.Split(d, "/")[2]
		name, _ := os.ReadFile("/proc/" + pid + "/comm")
		return fmt.Sprintf(" by %s (pid %s)", strings.TrimSpace(string(name)), pid)
	}
	return ""
}

// sockets returns the inodes of the sockets on a port, of TCP only those that listen.
func sockets(table string, port int, listening bool) map[string]bool {
	found := map[string]bool{}
	f, err := os.Open(table)
	if err != nil { // a kernel without IPv6
		return nil
	}
	defer f.Close()
	suffix := fmt.Sprintf(":%04X", port)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode
		w := strings.Fields(lines.Text())
		if len(w) > 9 && strings.HasSuffix(w[1], suffix) && (!listening || w[3] == "0A") {
			found[w[9]] = true
		}
	}
	return found
}

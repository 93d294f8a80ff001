package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc: USER_HZ, 100 on every Linux.
const tick = 0.01

// meter measures one run: wall time, CPU of the clients and of sshd, and what
// others used.
type meter struct {
	sshd   int
	start  time.Time
	server float64
	busy   float64
	client float64
}

func newMeter(sshd int) (*meter, error) {
	m := &meter{sshd: sshd, start: time.Now()}
	var err error
	if m.server, err = childrenCPU(sshd); err != nil {
		return nil, err
	}
	m.busy, err = machineCPU()
	return m, err
}

// ran adds a finished client process.
func (m *meter) ran(cmd *exec.Cmd) {
	m.client += (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
}

// done ends the measurement. Wall time ends at the call; sshd gets a moment to
// reap its children, whose CPU time is known only then.
func (m *meter) done() (sample, error) {
	wall := time.Since(m.start).Seconds()
	busy, err := machineCPU()
	if err != nil {
		return sample{}, err
	}
	time.Sleep(100 * time.Millisecond)
	server, err := childrenCPU(m.sshd)
	if err != nil {
		return sample{}, err
	}
	s := sample{Wall: wall, Client: m.client, Server: server - m.server}
	s.Foreign = max(0, (busy-m.busy-s.Client-s.Server)/(wall*float64(runtime.NumCPU())))
	return s, nil
}

// childrenCPU is the CPU time of all ended descendants of a process, seconds.
func childrenCPU(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold spaces; cutime and cstime are fields 16 and 17.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var user, system float64
	if _, err := fmt.Sscan(fields[13]+" "+fields[14], &user, &system); err != nil {
		return 0, err
	}
	return (user + system) * tick, nil
}

// machineCPU is the busy time of all CPUs, seconds.
func machineCPU() (float64, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	var user, nice, system, idle, iowait, irq, softirq float64
	if _, err := fmt.Sscanf(string(text), "cpu %f %f %f %f %f %f %f", &user, &nice, &system, &idle, &iowait, &irq, &softirq); err != nil {
		return 0, err
	}
	return (user + nice + system + irq + softirq) * tick, nil
}

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc: USER_HZ, 100 on every Linux.
const tick = 0.01

// meter measures one run: wall time, CPU of the clients and of the server side,
// and what others used.
type meter struct {
	daemons []int // clients that live on after the run
	sshd    int   // its whole tree is the server side; 0 = that is nobody
	start   time.Time
	server  float64
	busy    float64
	client  float64
}

func newMeter(sshd int, daemons ...int) (*meter, error) {
	m := &meter{sshd: sshd, daemons: daemons}
	var err error
	if m.server, err = treeCPU(sshd); err != nil {
		return nil, err
	}
	for _, pid := range daemons {
		used, err := ownCPU(pid)
		if err != nil {
			return nil, err
		}
		m.client -= used
	}
	m.busy, err = machineCPU()
	m.start = time.Now()
	return m, err
}

// ran adds a finished client process.
func (m *meter) ran(cmd *exec.Cmd) {
	m.client += (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
}

// done ends the measurement. Wall time ends at the call; sshd gets a moment to
// reap its children, and the daemons to put away their work.
func (m *meter) done() (sample, error) {
	wall := time.Since(m.start).Seconds()
	busy, err := machineCPU()
	if err != nil {
		return sample{}, err
	}
	time.Sleep(100 * time.Millisecond)
	server, err := treeCPU(m.sshd)
	if err != nil {
		return sample{}, err
	}
	for _, pid := range m.daemons {
		used, err := ownCPU(pid)
		if err != nil {
			return sample{}, err
		}
		m.client += used
	}
	s := sample{Wall: wall, Client: m.client, Server: server - m.server}
	s.Foreign = max(0, (busy-m.busy-s.Client-s.Server)/(wall*float64(runtime.NumCPU())))
	return s, nil
}

// treeCPU is the CPU time of a process and of all its descendants, the living
// and the ended ones, in seconds. Process 0 has used none.
func treeCPU(pid int) (float64, error) {
	if pid == 0 {
		return 0, nil
	}
	sum, err := cpuTimes(pid, 4)
	if err != nil {
		return 0, err
	}
	for _, child := range children(pid) {
		used, err := treeCPU(child)
		if err != nil {
			continue // ended meanwhile: the parent has its time next
		}
		sum += used
	}
	return sum, nil
}

// ownCPU is the CPU time of a process without its children, in seconds.
func ownCPU(pid int) (float64, error) { return cpuTimes(pid, 2) }

// cpuTimes adds the first n of a process's utime, stime, cutime and cstime.
func cpuTimes(pid, n int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold spaces; utime is field 14.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var sum float64
	for _, field := range fields[11 : 11+n] {
		value, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0, err
		}
		sum += value * tick
	}
	return sum, nil
}

// children are the process's living children.
func children(pid int) []int {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil // it has ended
	}
	var out []int
	for _, thread := range threads {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, thread.Name()))
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				out = append(out, child)
			}
		}
	}
	return out
}

// peakMemoryOf is the most memory that a process held since resetPeak, in MB.
func peakMemoryOf(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kib); err == nil {
			return kib * 1024 / 1e6, nil
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no VmHWM", pid)
}

func resetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0o200)
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

package balancer

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Sections of HAProxy's configuration that matter here.
const (
	inDefaults = "defaults"
	inListen   = "listen"
	inFrontend = "frontend"
	inBackend  = "backend"
)

// sectionWords begin a section of any kind.
var sectionWords = []string{
	"global", inDefaults, inListen, inFrontend, inBackend, "userlist", "peers", "mailers", "resolvers", "program", "ring", "cache",
	"http-errors", "fcgi-app", "crt-store", "log-forward", "traces", "log-profile", "acme",
}

// section is one of them with what its lines say.
type section struct {
	kind, name string
	first, end int // lines [first, end) of the file, comments before the next section left out
	mode       string
	binds      []bind
	servers    []server
	backends   []string // of a frontend: every backend it may use
	dynamic    bool     // it chooses backends by a rule that is not understood
}

// bind is one address of one bind line.
type bind struct {
	line     int
	address  string // "" or "*" = every address
	port     int    // the first of a range
	last     int
	mode     string // "tls" or "proxy" when bytes do not pass as they are
	alone    bool   // the only address of its line
	original string
}

type server struct {
	host string
	port int    // 0 = the port of the bind
	mode string // "tls" or "proxy" when bytes do not pass as they are
}

// parse understands as much of a configuration as is needed to tell which port
// leads where. What it does not know it leaves alone.
func parse(text string) []section {
	var out []section
	mode, named := TCP, map[string]string{}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		w := words(line)
		if len(w) == 0 {
			continue
		}
		if slices.Contains(sectionWords, w[0]) {
			s := section{kind: w[0], first: i, mode: mode}
			if len(w) > 1 {
				s.name = w[1]
			}
			if s.kind == inDefaults {
				s.mode = TCP
			}
			if k := slices.Index(w, "from"); k > 0 && k+1 < len(w) && named[w[k+1]] != "" {
				s.mode = named[w[k+1]]
			}
			out = append(out, s)
		} else if len(out) > 0 {
			out[len(out)-1].take(i, w)
		}
		if len(out) > 0 {
			s := &out[len(out)-1]
			s.end = i + 1
			if s.kind == inDefaults {
				mode = s.mode
				if s.name != "" && s.name != "from" {
					named[s.name] = s.mode
				}
			}
		}
	}
	return out
}

func (s *section) take(line int, w []string) {
	switch w[0] {
	case "mode":
		if len(w) > 1 {
			s.mode = w[1]
		}
	case "bind":
		if len(w) > 1 {
			s.bind(line, w)
		}
	case "server":
		if len(w) > 2 {
			host, port := splitPort(w[2])
			s.servers = append(s.servers, server{host: host, port: port, mode: wraps(w[3:])})
		}
	case "server-template":
		s.dynamic = true
	case "default_backend", "use_backend":
		if len(w) > 1 && !strings.Contains(w[1], "%[") {
			s.backends = append(s.backends, w[1])
		} else {
			s.dynamic = true
		}
	}
}

// wraps says what options of a bind or server line do to the bytes.
func wraps(options []string) string {
	switch {
	case slices.Contains(options, "ssl"):
		return "tls"
	case slices.ContainsFunc(options, func(o string) bool { return o == "accept-proxy" || strings.HasPrefix(o, "send-proxy") }):
		return "proxy"
	}
	return ""
}

func (s *section) bind(line int, w []string) {
	parts := strings.Split(w[1], ",")
	for _, part := range parts {
		address := part
		for _, prefix := range []string{"ipv4@", "ipv6@", "tcp@", "tcp4@", "tcp6@"} {
			address = strings.TrimPrefix(address, prefix)
		}
		colon := strings.LastIndex(address, ":")
		if colon < 0 || strings.Contains(address, "@") || strings.HasPrefix(address, "/") {
			continue // a socket of another kind
		}
		low, high, isRange := strings.Cut(address[colon+1:], "-")
		first, err := strconv.Atoi(low)
		if err != nil {
			continue
		}
		last := first
		if isRange {
			if last, err = strconv.Atoi(high); err != nil {
				continue
			}
		}
		s.binds = append(s.binds, bind{
			line: line, address: strings.Trim(address[:colon], "[]"), port: first, last: last,
			mode: wraps(w[2:]), alone: len(parts) == 1, original: part,
		})
	}
}

// has reports whether the bind takes connections to the port of the address.
func (b bind) has(address string, port int) bool {
	return b.port <= port && port <= b.last && (b.wild() || sameAddress(b.address, address))
}

// wild reports whether it takes connections to every address.
func (b bind) wild() bool {
	return b.address == "" || b.address == "*" || b.address == "0.0.0.0" || b.address == "::"
}

func sameAddress(a, b string) bool {
	x, errX := netip.ParseAddr(strings.Trim(a, "[]"))
	y, errY := netip.ParseAddr(strings.Trim(b, "[]"))
	if errX != nil || errY != nil {
		return strings.EqualFold(a, b)
	}
	return x.Unmap() == y.Unmap()
}

// splitPort splits address:port of a server line; 0 when there is no port.
func splitPort(text string) (string, int) {
	for _, prefix := range []string{"ipv4@", "ipv6@", "tcp@", "tcp4@", "tcp6@"} {
		text = strings.TrimPrefix(text, prefix)
	}
	if _, err := netip.ParseAddr(text); err == nil && strings.Count(text, ":") > 1 {
		return text, 0
	}
	colon := strings.LastIndex(text, ":")
	if colon < 0 {
		return text, 0
	}
	port, err := strconv.Atoi(text[colon+1:])
	if err != nil {
		return text, 0
	}
	return strings.Trim(text[:colon], "[]"), port
}

// words splits a line as HAProxy does: blanks, quotes, backslashes, comments.
func words(line string) []string {
	var out []string
	var word strings.Builder
	inWord, quote := false, rune(0)
	escaped := false
	for _, c := range line {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inWord = c, true
		case quote == 0 && c == '#':
			return flush(out, &word, inWord)
		case quote == 0 && (c == ' ' || c == '\t' || c == '\r'):
			out, inWord = flush(out, &word, inWord), false
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	return flush(out, &word, inWord)
}

func flush(out []string, word *strings.Builder, inWord bool) []string {
	if inWord {
		out = append(out, word.String())
	}
	word.Reset()
	return out
}

// forwards tells where every port of the address leads.
func forwards(sections []section, address string) []Forward {
	found := map[int]*Forward{}
	for _, s := range sections {
		if s.kind != inListen && s.kind != inFrontend {
			continue
		}
		for _, b := range s.binds {
			if !b.has(address, b.port) {
				continue
			}
			mode, servers := s.leads(sections, b)
			f := found[b.port]
			if f == nil {
				f = &Forward{Port: b.port, Mode: mode}
				found[b.port] = f
			} else if f.Mode != mode {
				f.Mode = "mixed"
			}
			for _, server := range servers {
				port := server.port
				if port == 0 {
					port = b.port
				}
				f.Backends = append(f.Backends, Backend(server.host, port))
			}
		}
	}
	out := make([]Forward, 0, len(found))
	for _, f := range found {
		f.Backends = canonical(f.Backends)
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b Forward) int { return a.Port - b.Port })
	return out
}

// leads is the mode of what a bind of the section forwards, and its servers.
func (s section) leads(sections []section, b bind) (mode string, servers []server) {
	mode, servers = s.mode, slices.Clone(s.servers)
	for _, other := range sections {
		if (other.kind == inBackend || other.kind == inListen) && slices.Contains(s.backends, other.name) {
			servers = append(servers, other.servers...)
			if other.mode != mode {
				mode = "mixed"
			}
			s.dynamic = s.dynamic || other.dynamic
		}
	}
	if b.mode != "" {
		mode = b.mode
	}
	for _, s := range servers {
		if s.mode != "" {
			mode = s.mode
		}
	}
	if s.dynamic {
		mode = "mixed"
	}
	return mode, servers
}

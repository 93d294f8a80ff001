// Package probe looks at a network from the nodes themselves. It puts a small
// agent on each of them, over SSH and for a minute: the agents listen on ports
// that nothing uses yet and try one another's. An agent has no file any more
// when it starts, and ends with its connection, with its shell, or when its
// time is over; firewalls and settings of the node stay as they are.
package probe

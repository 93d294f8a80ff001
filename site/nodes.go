package site

func checkControlPlanes(j *judge) {
	j.clusters(func(c *Cluster, path string) {
		n := 0
		for _, node := range c.Nodes {
			if node.Role == ControlPlane {
				n++
			}
		}
		if n != 1 && n != 3 {
			j.fail(child(path, "nodes"), "list 1 or 3 control planes; more can be added after the install", "%d nodes have the role %s", n, ControlPlane)
		}
	})
}

package takeover

func (r *rig) onNodes() {}
func (r *rig) inPods()  {}
func (r *rig) page()    {}

package activities

import "context"

// AskResolvers asks the site's resolvers alone for the addresses of the platform's
// name. While no authoritative server answers, users are led by these and by nothing
// else. One that is silent is no error. Cluster stays empty: no server that counts has
// said it.
func (a *DNS) AskResolvers(ctx context.Context, in ClusterInput) (PlatformAddress, error) {
	out := PlatformAddress{Answers: map[string][]string{}, Silent: map[string]string{}}
	watch, err := a.watch(&in.Site, nil)
	if err != nil {
		return out, err
	}
	watch.Authoritative = nil
	for _, s := range watch.Look(ctx) {
		if s.Err != nil {
			out.Silent[s.Server] = clip(message(s.Err), 300)
			continue
		}
		out.Answers[s.Server] = s.Answer.Addresses()
	}
	return out, nil
}

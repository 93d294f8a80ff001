package harness

// SendUpdate opens a run's page and sends it an Update as a person does who
// pastes the input. When it is refused, the form stays open with the reason; else
// it closes, and the history shows what the run answered.
func (b *Browser) SendUpdate(run, name, input string) error {
	for _, step := range []func() error{
		func() error { return b.Open(run + "/history") },
		func() error { return b.Press("More Actions") },
		func() error { return b.Press("Send an Update") },
		func() error { return b.Click("dialog[open] button:has(#update-select)") },
		func() error { return b.Press(name) },
		func() error { return b.Type(`dialog[open] .cm-content[aria-label="Data"]`, input) },
		func() error { return b.Press("Submit") },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/acpflow/acpflow/internal/fault"
)

// pageLimit is how long a page may take to show what is waited for, and Chromium
// to start. A machine full of other tests needs a minute for what takes seconds.
const pageLimit = 3 * time.Minute

// Browser is one tab of a headless Chromium with a profile of its own.
type Browser struct {
	tab     context.Context
	cancel  []context.CancelFunc
	profile string
	dir     string
}

// StartBrowser starts Chromium (Debian package chromium). Screenshots of pages
// that did not show what was expected go to dir.
func StartBrowser(ctx context.Context, dir string) (*Browser, error) {
	program, err := exec.LookPath("chromium")
	if err != nil {
		return nil, fault.New(fault.Internal, "start the browser", "chromium", "apt-get install chromium, or make deps", err)
	}
	profile, err := os.MkdirTemp("", "acpflow-browser-")
	if err != nil {
		return nil, fault.New(fault.Internal, "make the browser's profile", os.TempDir(), "", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], // loopback only: Chromium shall ask nobody else for anything
		chromedp.ExecPath(program), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(pageLimit),
		chromedp.WindowSize(1600, 2400), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"))
	b := &Browser{profile: profile, dir: dir}
	allocator, cancel := chromedp.NewExecAllocator(ctx, options...)
	b.cancel = append(b.cancel, cancel)
	b.tab, cancel = chromedp.NewContext(allocator)
	b.cancel = append(b.cancel, cancel)
	if err := chromedp.Do(b.tab); err != nil { // the first call must not have a deadline: it would be the browser's
		b.Close()
		return nil, fault.New(fault.Internal, "start the browser", program, "", err)
	}
	return b, nil
}

// Close ends the browser and removes its profile.
func (b *Browser) Close() {
	_ = chromedp.Cancel(b.tab) // waits until the process is gone
	for _, cancel := range b.cancel {
		cancel()
	}
	_ = os.RemoveAll(b.profile)
}

// Open loads a page of the Temporal UI. Chromium drops every request under way
// when a network interface of the machine comes or goes, as a lab's do; the UI
// then shows its error page, and loading again is what a person would do.
func (b *Browser) Open(url string) error {
	for range 5 {
		if err := b.do("open "+url, chromedp.Navigate(url)); err != nil {
			return err
		}
		text, err := b.WaitFor("")
		if err != nil || !strings.Contains(text, "Internal Error") {
			return err
		}
	}
	return b.problem("open "+url, errors.New("the page fails to load again and again"))
}

// Type replaces what is in the field that the CSS selector finds, as a paste
// would, and leaves the field: the form arranges itself again when that happens.
func (b *Browser) Type(selector, text string) error {
	if err := b.Click(selector); err != nil {
		return err
	}
	insert := func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text})
		return err
	}
	return b.do("type into "+selector,
		chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.Func(insert),
		chromedp.Blur(chromedp.CSS(selector)))
}

// Click clicks what the CSS selector finds, see click.
func (b *Browser) Click(selector string) error {
	return b.click(selector, fmt.Sprintf(`[...document.querySelectorAll(%q)]`, selector))
}

// labelled are the buttons, links, tabs and entries of lists with exactly a
// label. An entry may explain itself below its label.
const labelled = `[...document.querySelectorAll('button, a, [role="tab"], [role="menuitem"], [role="option"]')].filter(e =>
	(/menuitem|option/.test(e.role) ? e.innerText.trim().split("\n")[0] : e.innerText).trim() === %q)`

// Press clicks the button, link, tab or entry of a list with exactly this label,
// see click.
func (b *Browser) Press(label string) error {
	return b.click(label, fmt.Sprintf(labelled, label))
}

// reachable finds the middle of the first enabled of some elements that a click
// would reach now; null when there is none or it moves. A busy machine draws late,
// and the page arranges itself only when it is drawn: so time that passes proves
// nothing, frames do.
const reachable = `(async () => {
	const find = () => {
		for (const e of %s) {
			if (e.disabled || e.ariaDisabled === "true") continue
			e.scrollIntoView({block: "nearest"})
			const box = e.getBoundingClientRect(), at = [box.x + box.width / 2, box.y + box.height / 2]
			if (e.contains(document.elementFromPoint(...at))) return at
		}
	}
	const before = find()
	for (let frames = 0; frames < 4; frames++) await new Promise(requestAnimationFrame)
	const at = find()
	return at && String(at) === String(before) ? at : null
})()`

// click clicks the first enabled of the elements, once it stands still and nothing
// covers it: a page that is still arranging itself moves it away from under the
// click, or a menu that is still closing takes the click.
func (b *Browser) click(what, elements string) error {
	for deadline := time.Now().Add(pageLimit); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		at, err := ask[[]float64](b, fmt.Sprintf(reachable, elements), chromedp.EvalAwaitPromise)
		if err != nil {
			return err
		}
		if len(at) == 2 {
			return b.do("click "+what, chromedp.MouseClickXY(at[0], at[1]))
		}
	}
	return b.problem("click "+what, errors.New("the page has no such thing, or it never becomes enabled and uncovered"))
}

// WaitFor returns the page's text once there is some and it holds all the wanted
// words. What it
// has not shown in time is an error that names a screenshot.
func (b *Browser) WaitFor(words ...string) (string, error) {
	var text string
	for deadline := time.Now().Add(pageLimit); ; time.Sleep(200 * time.Millisecond) {
		var err error
		if text, err = b.Text(); err != nil {
			return "", err
		}
		missing := absent(text, words)
		if text != "" && len(missing) == 0 {
			return text, nil
		}
		if time.Now().After(deadline) {
			return text, b.problem("find text on the page", fmt.Errorf("%q is not in: %s", missing, text))
		}
	}
}

func absent(text string, words []string) (missing []string) {
	for _, word := range words {
		if !strings.Contains(text, word) {
			missing = append(missing, word)
		}
	}
	return missing
}

// Text is what a person can read on the page now, including the frames in which
// the UI shows Markdown.
func (b *Browser) Text() (string, error) {
	return ask[string](b, `[document, ...`+frames+`].map(d => d?.body?.innerText ?? "").join("\n")`)
}

// frames are the documents of the page's frames.
const frames = `[...document.querySelectorAll("iframe")].map(f => f.contentDocument)`

// CountInFrames is the number of elements that the CSS selector finds in the
// page's frames.
func (b *Browser) CountInFrames(selector string) (int, error) {
	return ask[int](b, fmt.Sprintf(frames+`.reduce((n, d) => n + (d?.querySelectorAll(%q).length ?? 0), 0)`, selector))
}

// Screenshot saves the page as dir/name.png and returns the path.
func (b *Browser) Screenshot(name string) (string, error) {
	image, err := run(b, chromedp.CaptureScreenshot())
	if err != nil {
		return "", fault.New(fault.Internal, "take a screenshot", name, "", err)
	}
	path := filepath.Join(b.dir, name+".png")
	return path, os.WriteFile(path, image, 0o600)
}

func ask[T any](b *Browser, expression string, options ...chromedp.EvaluateOption) (T, error) {
	value, err := run(b, chromedp.Evaluate[T](expression, options...))
	if err != nil {
		err = b.problem("evaluate "+expression, err)
	}
	return value, err
}

func (b *Browser) do(what string, steps ...chromedp.Action[chromedp.Void]) error {
	if _, err := run(b, chromedp.Steps(steps...)); err != nil {
		return b.problem(what, err)
	}
	return nil
}

func run[T any](b *Browser, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(b.tab, pageLimit)
	defer cancel()
	return chromedp.Run(ctx, action)
}

func (b *Browser) problem(what string, err error) error {
	shot, shotErr := b.Screenshot("browser-problem")
	if shotErr != nil {
		shot = "no screenshot: " + shotErr.Error()
	}
	return fault.New(fault.Internal, what, shot, "look at the screenshot; the UI may have changed its labels", err)
}

// Package capture keeps what a command writes: each stream whole, the last of both for an error
// message, and, line by line while it runs, for the person who waits.
package capture

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"practicum/toolchain/command/internal/mask"
)

const (
	// TailSize is how much of the output an error message quotes, in bytes.
	TailSize = 8 << 10
	// shownOfLine is how much of a long line is shown, longestLine how much of it is looked at, in
	// bytes. Secrets are masked before the cut, so that no half of one remains.
	shownOfLine = 4 << 10
	longestLine = 64 << 10
)

// Which says what streams are shown while the command runs.
type Which struct{ Stdout, Stderr bool }

// Parse reads the value of the input `logging`; an absent one ("") means both.
func Parse(logging string) Which {
	both := logging == "" || logging == "stdoutAndStderr"
	return Which{Stdout: both || logging == "stdout", Stderr: both || logging == "stderr"}
}

// Output collects the two streams of one command. Its methods may be called from several goroutines.
type Output struct {
	mu     sync.Mutex
	stdout bytes.Buffer
	stderr bytes.Buffer
	tail   []byte
	lost   bool
	mask   mask.Mask
	shown  Which
	show   func(line string)
	lines  [2]line
}

// New returns an empty Output that passes the shown streams' lines, masked, to show.
func New(shown Which, m mask.Mask, show func(line string)) *Output {
	return &Output{mask: m, shown: shown, show: show}
}

// Stdout is where the command's standard output goes.
func (o *Output) Stdout() io.Writer { return stream{o, 0} }

// Stderr is where the command's standard error goes.
func (o *Output) Stderr() io.Writer { return stream{o, 1} }

type stream struct {
	output *Output
	index  int
}

func (s stream) Write(p []byte) (int, error) {
	o := s.output
	o.mu.Lock()
	defer o.mu.Unlock()
	shown := o.shown.Stdout
	if s.index == 0 {
		o.stdout.Write(p)
	} else {
		o.stderr.Write(p)
		shown = o.shown.Stderr
	}
	o.keepTail(p)
	if shown {
		o.addLines(&o.lines[s.index], p)
	}
	return len(p), nil
}

// keepTail keeps at least twice TailSize: the first half is there to mask secrets that begin in it.
func (o *Output) keepTail(p []byte) {
	o.tail = append(o.tail, p...)
	if len(o.tail) > 4*TailSize {
		cut := len(o.tail) - 2*TailSize
		o.lost = true
		o.tail = append([]byte{}, o.tail[cut:]...)
	}
}

// line is what has come of a stream's current line.
type line struct {
	text []byte
	// over: the line was longer than longestLine and has been shown; the rest of it is dropped.
	over bool
}

func (o *Output) addLines(current *line, p []byte) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		part := p
		if end >= 0 {
			part = p[:end]
		}
		if !current.over {
			current.text = append(current.text, part...)
			if len(current.text) > longestLine {
				o.showLine(current)
				current.over = true
			}
		}
		if end < 0 {
			return
		}
		if !current.over {
			o.showLine(current)
		}
		current.over = false
		p = p[end+1:]
	}
}

func (o *Output) showLine(current *line) {
	text := o.mask.Apply(clean(strings.TrimSuffix(string(current.text), "\r")))
	if len(text) > shownOfLine {
		text = clean(text[:shownOfLine]) + " (long line cut)"
	}
	o.show(text)
	current.text = nil
}

// Close shows the lines that have no end yet.
func (o *Output) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.lines {
		if len(o.lines[i].text) > 0 {
			o.showLine(&o.lines[i])
		}
	}
}

// Texts returns both streams as text, each without its last newline. Bytes that are no UTF-8 are
// replaced: Pulumi's state holds text.
func (o *Output) Texts() (stdout, stderr string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return clean(strings.TrimSuffix(o.stdout.String(), "\n")), clean(strings.TrimSuffix(o.stderr.String(), "\n"))
}

// Tail is the last of both streams as they came, masked, for an error message.
func (o *Output) Tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := o.mask.Apply(clean(string(o.tail)))
	if !o.lost && len(text) <= TailSize {
		return text
	}
	return "(only the end of the output is shown)\n" + clean(text[max(0, len(text)-TailSize):])
}

func clean(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

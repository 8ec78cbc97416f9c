package capture

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"practicum/toolchain/command/internal/mask"
)

func secret(text string) mask.Mask {
	return mask.Of(resource.PropertyMap{"x": resource.MakeSecret(resource.NewProperty(text))})
}

func shown(which Which, m mask.Mask, use func(*Output)) ([]string, *Output) {
	var lines []string
	out := New(which, m, func(line string) { lines = append(lines, line) })
	use(out)
	out.Close()
	return lines, out
}

func TestLinesAreShownWholeWhateverThePiecesTheyComeIn(t *testing.T) {
	lines, out := shown(Which{Stdout: true}, mask.Mask{}, func(o *Output) {
		for _, piece := range []string{"on", "e\ntw", "o\r\n\nthree"} {
			_, _ = fmt.Fprint(o.Stdout(), piece)
		}
	})
	stdout, _ := out.Texts()
	if !slices.Equal(lines, []string{"one", "two", "", "three"}) || stdout != "one\ntwo\r\n\nthree" {
		t.Fatalf("%q %q", lines, stdout)
	}
}

func TestLoggingChoosesTheStreamsThatAreShown(t *testing.T) {
	for logging, expected := range map[string][]string{
		"": {"out", "err"}, "stdoutAndStderr": {"out", "err"}, "stdout": {"out"}, "stderr": {"err"}, "none": nil,
	} {
		lines, out := shown(Parse(logging), mask.Mask{}, func(o *Output) {
			_, _ = fmt.Fprintln(o.Stdout(), "out")
			_, _ = fmt.Fprintln(o.Stderr(), "err")
		})
		stdout, stderr := out.Texts()
		if !slices.Equal(lines, expected) || stdout != "out" || stderr != "err" {
			t.Errorf("%q: %q %q %q", logging, lines, stdout, stderr)
		}
	}
}

func TestALineOfAnyLengthIsTakenAndShownInPart(t *testing.T) {
	lines, out := shown(Which{Stdout: true}, mask.Mask{}, func(o *Output) {
		for range 100 {
			_, _ = fmt.Fprint(o.Stdout(), strings.Repeat("x", 10<<10))
		}
		_, _ = fmt.Fprint(o.Stdout(), "\nnext\n")
	})
	stdout, _ := out.Texts()
	if len(lines) != 2 || len(lines[0]) > shownOfLine+20 || lines[1] != "next" || len(stdout) != 1000<<10+5 {
		t.Fatalf("%d lines, %d bytes", len(lines), len(stdout))
	}
}

func TestSecretsAreNeitherShownNorQuotedButKept(t *testing.T) {
	lines, out := shown(Which{Stdout: true}, secret("hunter2"), func(o *Output) {
		_, _ = fmt.Fprintln(o.Stdout(), "the password is hunter2.")
	})
	stdout, _ := out.Texts()
	if lines[0] != "the password is [secret]." || strings.Contains(out.Tail(), "hunter2") || !strings.Contains(stdout, "hunter2") {
		t.Fatalf("%q %q %q", lines, out.Tail(), stdout)
	}
}

func TestATailIsBoundedAndHoldsNoPartOfASecret(t *testing.T) {
	for pad := range 40 {
		_, out := shown(Which{}, secret("correct-horse"), func(o *Output) {
			_, _ = fmt.Fprint(o.Stdout(), strings.Repeat(".", pad))
			for range 10_000 {
				_, _ = fmt.Fprint(o.Stdout(), "correct-horse")
			}
		})
		tail := out.Tail()
		if len(tail) > TailSize+100 || strings.Contains(tail, "horse") || strings.Contains(tail, "correct") {
			t.Fatalf("%d bytes: %.80q", len(tail), tail)
		}
	}
}

func TestBytesThatAreNoTextAreReplaced(t *testing.T) {
	_, out := shown(Which{}, mask.Mask{}, func(o *Output) { _, _ = o.Stdout().Write([]byte{'a', 0xff, 'b'}) })
	if stdout, _ := out.Texts(); stdout != "a\uFFFDb" {
		t.Fatalf("%q", stdout)
	}
}

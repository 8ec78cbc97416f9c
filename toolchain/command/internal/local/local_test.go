package local

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"practicum/toolchain/command/internal/capture"
	"practicum/toolchain/command/internal/mask"
)

func execute(t *testing.T, ctx context.Context, c Command) (string, []string, error) {
	t.Helper()
	var warnings []string
	out := capture.New(capture.Which{}, mask.Mask{}, func(string) {})
	err := Run(ctx, c, out, func(w string) { warnings = append(warnings, w) })
	stdout, _ := out.Texts()
	return stdout, warnings, err
}

func TestStdinEnvironmentDirAndInterpreterReachTheCommand(t *testing.T) {
	dir := t.TempDir()
	stdout, _, err := execute(t, t.Context(), Command{
		Text: "pwd; cat; echo \" $COLOUR $0\"", Dir: dir, Stdin: "in",
		Environment: map[string]string{"COLOUR": "green"}, Interpreter: []string{"/bin/sh", "-e", "-c"},
	})
	if err != nil || stdout != dir+"\nin green /bin/sh" {
		t.Fatalf("%q %v", stdout, err)
	}
}

func TestTheExitCodeIsInTheError(t *testing.T) {
	if _, _, err := execute(t, t.Context(), Command{Text: "exit 7"}); err == nil || err.Error() != "exit status 7" {
		t.Fatal(err)
	}
}

func TestAMissingDirIsNamed(t *testing.T) {
	_, _, err := execute(t, t.Context(), Command{Text: "true", Dir: "/nonexistent/place"})
	if err == nil || !strings.Contains(err.Error(), "/nonexistent/place") {
		t.Fatal(err)
	}
}

func TestPreviousOutputThatDoesNotFitAVariableIsLeftOutWithAWarning(t *testing.T) {
	for name, text := range map[string]string{"long": strings.Repeat("x", 200<<10), "zero": "a\x00b"} {
		stdout, warnings, err := execute(t, t.Context(), Command{
			Text: "echo ${PULUMI_COMMAND_STDOUT-unset}", Previous: map[string]string{PreviousStdout: text},
		})
		if err != nil || stdout != "unset" || len(warnings) != 1 {
			t.Fatalf("%s: %q %q %v", name, stdout, warnings, err)
		}
	}
}

func TestACancelledCommandEndsWithAllThatItStarted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	mark := filepath.Join(t.TempDir(), "late")
	begin := time.Now()
	_, _, err := execute(t, ctx, Command{Text: "(sleep 2; touch " + mark + ") & sleep 60"})
	if err == nil || time.Since(begin) > 4*time.Second {
		t.Fatalf("%v after %s", err, time.Since(begin))
	}
	time.Sleep(2500*time.Millisecond - time.Since(begin))
	if _, err := os.Stat(mark); err == nil {
		t.Fatal("a child outlived the command")
	}
}

func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPatternsSelectFilesInOrderAndExcludeWithAMark(t *testing.T) {
	dir := folder(t, "assets/logos/logo.svg", "src/index.js", "src/secret.js", "src/deep/more.js", "top.txt")
	for pattern, expected := range map[string][]string{
		"assets/**|src/**.js|!**secret.*": {"assets/logos/logo.svg", "src/deep/more.js", "src/index.js"},
		"*":                               {"top.txt"},
		"src/*.js":                        {"src/index.js", "src/secret.js"},
		"!**|top.txt":                     {"top.txt"},
		"**|!**":                          {},
	} {
		files, err := Files(dir, strings.Split(pattern, "|"))
		names := slices.Sorted(maps.Keys(files))
		if err != nil || !slices.Equal(names, expected) {
			t.Errorf("%s: %v %v", pattern, names, err)
		}
	}
}

func TestFoldersLinksToNothingAndPipesAreNoFiles(t *testing.T) {
	dir := folder(t, "real")
	for link, target := range map[string]string{"dangling": "/nonexistent", "to-folder": dir, "to-real": "real"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := Files(dir, []string{"**"})
	if names := slices.Sorted(maps.Keys(files)); err != nil || !slices.Equal(names, []string{"real", "to-real"}) {
		t.Fatalf("%v %v", names, err)
	}
}

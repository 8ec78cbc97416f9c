package remote

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"practicum/toolchain/command/internal/sshtest"
)

func copyOver(t *testing.T, use func(Copier) error) error {
	t.Helper()
	client := dial(t, connect(sshtest.Start(t)))
	return WithCopier(t.Context(), client, use)
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func expect(t *testing.T, path, text string) {
	t.Helper()
	found, err := os.ReadFile(path)
	if err != nil || string(found) != text {
		t.Fatalf("%s: %q %v", path, found, err)
	}
}

func TestATextBecomesAFileInANewFolder(t *testing.T) {
	there := filepath.Join(t.TempDir(), "a", "b", "motd")
	if err := copyOver(t, func(c Copier) error { return c.Text("welcome", there) }); err != nil {
		t.Fatal(err)
	}
	expect(t, there, "welcome")
}

func TestATextOverwritesALongerOneCompletely(t *testing.T) {
	there := write(t, filepath.Join(t.TempDir(), "motd"), "a much longer text than before")
	if err := copyOver(t, func(c Copier) error { return c.Text("short", there) }); err != nil {
		t.Fatal(err)
	}
	expect(t, there, "short")
}

func TestATextDoesNotGoIntoAFolder(t *testing.T) {
	err := copyOver(t, func(c Copier) error { return c.Text("x", t.TempDir()) })
	if err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Fatal(err)
	}
}

func TestALargeFileArrivesWhole(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 1<<17)
	here := write(t, filepath.Join(t.TempDir(), "image"), text)
	there := filepath.Join(t.TempDir(), "new", "image")
	if err := copyOver(t, func(c Copier) error { return c.Path(here, there) }); err != nil {
		t.Fatal(err)
	}
	expect(t, there, text)
}

func TestAFileGoesIntoAnExistingFolderUnderItsName(t *testing.T) {
	here, there := write(t, filepath.Join(t.TempDir(), "motd"), "x"), t.TempDir()
	if err := copyOver(t, func(c Copier) error { return c.Path(here, there) }); err != nil {
		t.Fatal(err)
	}
	expect(t, filepath.Join(there, "motd"), "x")
}

func TestAFolderGoesInUnderItsNameUnlessASlashEndsIt(t *testing.T) {
	here := filepath.Join(t.TempDir(), "site")
	write(t, filepath.Join(here, "top"), "1")
	write(t, filepath.Join(here, "deep", "down"), "2")
	for source, below := range map[string]string{here: "site", here + "/": ""} {
		for _, there := range []string{t.TempDir(), filepath.Join(t.TempDir(), "fresh")} {
			if err := copyOver(t, func(c Copier) error { return c.Path(source, there) }); err != nil {
				t.Fatal(err)
			}
			expect(t, filepath.Join(there, below, "top"), "1")
			expect(t, filepath.Join(there, below, "deep", "down"), "2")
		}
	}
}

func TestAFolderDoesNotReplaceAFile(t *testing.T) {
	there := write(t, filepath.Join(t.TempDir(), "file"), "kept")
	err := copyOver(t, func(c Copier) error { return c.Path(t.TempDir(), there) })
	if err == nil || !strings.Contains(err.Error(), "is a file") {
		t.Fatal(err)
	}
	expect(t, there, "kept")
}

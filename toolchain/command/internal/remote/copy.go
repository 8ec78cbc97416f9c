package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pkg/sftp"
)

// Copier writes files on another machine.
type Copier struct {
	ctx    context.Context //nolint:containedctx // the copier lives within one call
	client *sftp.Client
}

// WithCopier calls use with a copier on the client's machine. When ctx ends, the copy ends.
func WithCopier(ctx context.Context, client *Client, use func(Copier) error) error {
	session, err := sftp.NewClient(client.Client, sftp.UseConcurrentWrites(true))
	if err != nil {
		return fmt.Errorf("the SSH server offers no SFTP: %w", err)
	}
	release := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer release()
	err = use(Copier{ctx, session})
	if ctx.Err() != nil {
		return fmt.Errorf("the copy was stopped: %w", context.Cause(ctx))
	}
	if closeErr := session.Close(); err == nil && closeErr != nil && !errors.Is(closeErr, io.EOF) {
		return closeErr
	}
	return err
}

// Text writes a text to a file.
func (c Copier) Text(text, destination string) error {
	info, err := c.stat(destination)
	if err != nil {
		return err
	}
	if info != nil && info.IsDir() {
		return fmt.Errorf("remotePath %s is a folder: a text needs the path of a file", destination)
	}
	if err := c.folder(path.Dir(destination)); err != nil {
		return err
	}
	return c.write(strings.NewReader(text), destination)
}

// Path copies a file or a folder. A folder goes into the destination under its own name; with a
// slash at its end, only what is in it does.
func (c Copier) Path(source, destination string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	there, err := c.stat(destination)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		switch {
		case there != nil && there.IsDir():
			destination = path.Join(destination, filepath.Base(source))
		case there == nil:
			if err := c.folder(path.Dir(destination)); err != nil {
				return err
			}
		}
		return c.File(source, destination)
	}
	if there != nil && !there.IsDir() {
		return fmt.Errorf("remotePath %s is a file: the folder %s cannot be copied there", destination, source)
	}
	if !strings.HasSuffix(source, "/") {
		destination = path.Join(destination, filepath.Base(source))
	}
	return c.tree(source, destination)
}

func (c Copier) tree(source, destination string) error {
	return fs.WalkDir(os.DirFS(source), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := path.Join(destination, name)
		if entry.IsDir() {
			return c.folder(target)
		}
		return c.File(filepath.Join(source, filepath.FromSlash(name)), target)
	})
}

// File copies one file to exactly that path, whose folder exists.
func (c Copier) File(source, destination string) error {
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	return c.write(file, destination)
}

func (c Copier) write(content io.Reader, destination string) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	file, err := c.client.Create(destination)
	if err != nil {
		return fmt.Errorf("cannot create %s on the other machine: %w", destination, err)
	}
	_, err = file.ReadFrom(content)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("cannot write %s on the other machine: %w", destination, err)
	}
	return nil
}

func (c Copier) folder(name string) error {
	if err := c.client.MkdirAll(name); err != nil {
		return fmt.Errorf("cannot make the folder %s on the other machine: %w", name, err)
	}
	return nil
}

// stat returns nil for a path that does not exist.
func (c Copier) stat(name string) (fs.FileInfo, error) {
	info, err := c.client.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look at %s on the other machine: %w", name, err)
	}
	return info, nil
}

// Command mount.nfs mounts an export of NFS version 3 where the kernel has no NFS, as in the
// containers of the lab: `mount -t nfs SERVER:/PATH FOLDER` finds it as /sbin/mount.nfs.
//
// It speaks the protocol itself (TCP, AUTH_UNIX with the numbers of each process that asks) and
// hands the files to the kernel through FUSE. It goes on in the background until the folder is
// unmounted; a server that goes away is waited for, unless `soft` is given.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	background  = "MOUNT_NFS_IN_BACKGROUND"
	failedMount = 32 // mount(8): mount failure
	wrongUsage  = 1
	ready       = "ready"
)

func main() {
	if os.Getenv(background) != "" {
		serve()
		return
	}
	wanted, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "mount.nfs:", err)
		os.Exit(wrongUsage)
	}
	if err := start(); err != nil {
		fmt.Fprintf(os.Stderr, "mount.nfs: %s: %s\n", wanted.folder, err)
		os.Exit(failedMount)
	}
}

// start runs this program again in the background, and waits until it has mounted.
func start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	told, tell, err := os.Pipe()
	if err != nil {
		return err
	}
	child := exec.Command(self, os.Args[1:]...)
	child.Env = append(os.Environ(), background+"=1")
	child.ExtraFiles = []*os.File{tell}
	child.Dir = "/"
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		return err
	}
	tell.Close()
	text, err := io.ReadAll(told)
	if err != nil {
		return err
	}
	if string(text) != ready {
		return errors.New(strings.TrimSpace(string(text) + " "))
	}
	return child.Process.Release()
}

// serve mounts, says so, and answers the kernel until the folder is unmounted.
func serve() {
	tell := os.NewFile(3, "starter")
	server, err := mounted()
	if err != nil {
		fmt.Fprint(tell, err)
		os.Exit(failedMount)
	}
	fmt.Fprint(tell, ready)
	tell.Close()
	server.Wait()
}

func mounted() (*fuse.Server, error) {
	wanted, err := parse(os.Args[1:])
	if err != nil {
		return nil, err
	}
	folder, err := filepath.Abs(wanted.folder)
	if err != nil {
		return nil, err
	}
	name, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	client, found, err := root(wanted.target, wanted.hard, name)
	if err != nil {
		return nil, err
	}
	export := &export{client: client, root: found}
	if failed := export.fit(); failed != 0 {
		return nil, fmt.Errorf("%s: %w", wanted.target.host, failed)
	}
	names := time.Second           // how long a name is believed
	attributes := time.Duration(0) // never: what others wrote is seen at once
	return fs.Mount(folder, &node{export: export, handle: found}, &fs.Options{
		EntryTimeout:    &names,
		AttrTimeout:     &attributes,
		NullPermissions: true,
		MountOptions: fuse.MountOptions{
			AllowOther:        true,
			DirectMountStrict: true,
			DirectMountFlags:  wanted.flags | syscall.MS_NOSUID | syscall.MS_NODEV,
			FsName:            wanted.target.host + ":" + wanted.target.path,
			Name:              "nfs",
			MaxWrite:          1 << 20,
			MaxReadAhead:      1 << 20,
			DisableXAttrs:     true,
		},
	})
}

// isAddressInUse tells a port that is taken from a server that does not answer.
func isAddressInUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EADDRNOTAVAIL) ||
		errors.Is(err, syscall.EACCES)
}

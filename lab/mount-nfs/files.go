package main

import (
	"context"
	"sync/atomic"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// openFile is a file that a process has opened. Whoever uses it later has the rights of the one who
// opened it; the kernel reads ahead on nobody's behalf.
type openFile struct {
	node     *node
	who      caller
	appends  bool
	unstable atomic.Bool // something was written that the server may still have in memory only
}

var (
	_ fs.NodeOpener   = (*node)(nil)
	_ fs.NodeCreater  = (*node)(nil)
	_ fs.FileReader   = (*openFile)(nil)
	_ fs.FileWriter   = (*openFile)(nil)
	_ fs.FileFlusher  = (*openFile)(nil)
	_ fs.FileFsyncer  = (*openFile)(nil)
	_ fs.FileReleaser = (*openFile)(nil)
)

func (n *node) opened(who caller, flags uint32) (*openFile, uint32) {
	n.mutex.Lock()
	n.opens++
	n.mutex.Unlock()
	file := &openFile{node: n, who: who, appends: flags&syscall.O_APPEND != 0}
	if file.appends {
		// The kernel's idea of the end may be old: others append to the same file.
		return file, fuse.FOPEN_DIRECT_IO
	}
	return file, 0
}

func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	who := asker(ctx)
	var wanted uint32
	switch flags & syscall.O_ACCMODE {
	case syscall.O_RDONLY:
		wanted = mayRead
	case syscall.O_WRONLY:
		wanted = mayModify
	default:
		wanted = mayRead | mayModify
	}
	given, failed := n.export.access(who, n.handle, wanted|mayExecute)
	if failed != 0 {
		return nil, 0, failed
	}
	mayRun := wanted == mayRead && given&mayExecute != 0 // a program is read to be run
	if given&wanted != wanted && !mayRun {
		return nil, 0, syscall.EACCES
	}
	if flags&syscall.O_TRUNC != 0 {
		empty := uint64(0)
		if failed := n.export.setattr(who, n.handle, changes{size: &empty}); failed != 0 {
			return nil, 0, failed
		}
	}
	file, how := n.opened(who, flags)
	return file, how, 0
}

func (n *node) Create(
	ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut,
) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	who := asker(ctx)
	mode &= 0o7777
	found, about, failed := n.export.create(who, n.handle, name, flags&syscall.O_EXCL != 0, changes{mode: &mode})
	if failed != 0 {
		return nil, nil, 0, failed
	}
	inode := n.child(ctx, found, about, out)
	made, ok := inode.Operations().(*node)
	if !ok {
		return nil, nil, 0, syscall.EIO
	}
	file, how := made.opened(who, flags)
	return inode, file, how, 0
}

func (f *openFile) Read(_ context.Context, into []byte, offset int64) (fuse.ReadResult, syscall.Errno) {
	got := 0
	for got < len(into) {
		count := min(uint32(len(into)-got), f.node.export.chunk)
		data, end, failed := f.node.export.read(f.who, f.node.handle, uint64(offset)+uint64(got), count)
		if failed != 0 {
			return nil, failed
		}
		got += copy(into[got:], data)
		if end || len(data) == 0 {
			break
		}
	}
	return fuse.ReadResultData(into[:got]), 0
}

func (f *openFile) Write(_ context.Context, data []byte, offset int64) (uint32, syscall.Errno) {
	start := uint64(offset)
	if f.appends {
		about, failed := f.node.export.getattr(f.who, f.node.handle)
		if failed != 0 {
			return 0, failed
		}
		start = about.size
	}
	f.unstable.Store(true)
	written := uint32(0)
	for int(written) < len(data) {
		piece := data[written:min(len(data), int(written+f.node.export.chunk))]
		count, failed := f.node.export.write(f.who, f.node.handle, start+uint64(written), piece)
		if failed != 0 {
			return written, failed
		}
		if count == 0 {
			return written, syscall.EIO
		}
		written += count
	}
	return written, 0
}

// Flush makes a close wait until the server has everything, so that who opens the file next, on any
// node, reads it.
func (f *openFile) Flush(context.Context) syscall.Errno {
	if !f.unstable.Swap(false) {
		return 0
	}
	return f.node.export.commit(f.who, f.node.handle)
}

func (f *openFile) Fsync(ctx context.Context, _ uint32) syscall.Errno { return f.Flush(ctx) }

func (f *openFile) Release(context.Context) syscall.Errno {
	n := f.node
	n.mutex.Lock()
	n.opens--
	var gone *hiding
	if n.opens == 0 {
		gone, n.hidden = n.hidden, nil
	}
	n.mutex.Unlock()
	if gone != nil {
		return n.export.remove(f.who, gone.in.handle, gone.name)
	}
	return 0
}

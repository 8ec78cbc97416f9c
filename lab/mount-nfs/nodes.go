package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// node is a file of the export as the kernel sees it. Rights are the server's to decide: each call
// has the numbers of the process that asked.
type node struct {
	fs.Inode
	export *export
	handle handle

	mutex  sync.Mutex
	opens  int
	hidden *hiding // a name that is to go when nobody has the file open any more
}

type hiding struct {
	in   *node
	name string
}

var (
	_ fs.NodeLookuper   = (*node)(nil)
	_ fs.NodeGetattrer  = (*node)(nil)
	_ fs.NodeSetattrer  = (*node)(nil)
	_ fs.NodeAccesser   = (*node)(nil)
	_ fs.NodeReadlinker = (*node)(nil)
	_ fs.NodeReaddirer  = (*node)(nil)
	_ fs.NodeMkdirer    = (*node)(nil)
	_ fs.NodeMknoder    = (*node)(nil)
	_ fs.NodeSymlinker  = (*node)(nil)
	_ fs.NodeLinker     = (*node)(nil)
	_ fs.NodeUnlinker   = (*node)(nil)
	_ fs.NodeRmdirer    = (*node)(nil)
	_ fs.NodeRenamer    = (*node)(nil)
	_ fs.NodeStatfser   = (*node)(nil)
)

// asker is the process behind a call; calls of the kernel itself are root's.
func asker(ctx context.Context) caller {
	found, ok := fuse.FromContext(ctx)
	if !ok {
		return caller{}
	}
	who := caller{uid: found.Uid, gid: found.Gid}
	if found.Uid != 0 {
		who.groups = groupsOf(found.Pid)
	}
	return who
}

// groupsOf reads the supplementary groups of a process; none when it has ended.
func groupsOf(pid uint32) []uint32 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil
	}
	for _, line := range strings.Split(string(text), "\n") {
		words, found := strings.CutPrefix(line, "Groups:")
		if !found {
			continue
		}
		var groups []uint32
		for _, word := range strings.Fields(words) {
			if number, err := strconv.ParseUint(word, 10, 32); err == nil {
				groups = append(groups, uint32(number))
			}
		}
		return groups
	}
	return nil
}

var kinds = map[uint32]uint32{
	typeRegular: syscall.S_IFREG, typeDirectory: syscall.S_IFDIR, typeBlock: syscall.S_IFBLK,
	typeCharacter: syscall.S_IFCHR, typeSymlink: syscall.S_IFLNK, typeSocket: syscall.S_IFSOCK,
	typePipe: syscall.S_IFIFO,
}

func (a attributes) fill(out *fuse.Attr) {
	out.Ino, out.Size, out.Blocks, out.Blksize = a.number, a.size, (a.used+511)/512, 1<<16
	out.Mode = kinds[a.kind] | a.mode&0o7777
	out.Nlink, out.Uid, out.Gid = a.links, a.uid, a.gid
	out.Rdev = a.major<<8 | a.minor
	out.Atime, out.Atimensec = uint64(a.accessed.seconds), a.accessed.nanoseconds
	out.Mtime, out.Mtimensec = uint64(a.modified.seconds), a.modified.nanoseconds
	out.Ctime, out.Ctimensec = uint64(a.changed.seconds), a.changed.nanoseconds
}

// child is the kernel's inode of a file that was just looked up or made. A number that the server
// has given to another file since is told apart by the handle.
func (n *node) child(ctx context.Context, found handle, about attributes, out *fuse.EntryOut) *fs.Inode {
	about.fill(&out.Attr)
	sum := fnv.New64a()
	sum.Write(found)
	stable := fs.StableAttr{Mode: kinds[about.kind], Ino: about.number, Gen: sum.Sum64()}
	return n.NewInode(ctx, &node{export: n.export, handle: found}, stable)
}

func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	found, about, failed := n.export.lookup(asker(ctx), n.handle, name)
	if failed != 0 {
		return nil, failed
	}
	return n.child(ctx, found, about, out), 0
}

func (n *node) Getattr(ctx context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	about, failed := n.export.getattr(asker(ctx), n.handle)
	if failed == 0 {
		about.fill(&out.Attr)
	}
	return failed
}

func (n *node) Setattr(ctx context.Context, open fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	wanted := changes{}
	if mode, ok := in.GetMode(); ok {
		mode &= 0o7777
		wanted.mode = &mode
	}
	if uid, ok := in.GetUID(); ok {
		wanted.uid = &uid
	}
	if gid, ok := in.GetGID(); ok {
		wanted.gid = &gid
	}
	if size, ok := in.GetSize(); ok {
		wanted.size = &size
	}
	wanted.accessedNow = in.Valid&fuse.FATTR_ATIME_NOW != 0
	wanted.modifiedNow = in.Valid&fuse.FATTR_MTIME_NOW != 0
	if in.Valid&fuse.FATTR_ATIME != 0 && !wanted.accessedNow {
		wanted.accessed = &moment{uint32(in.Atime), in.Atimensec}
	}
	if in.Valid&fuse.FATTR_MTIME != 0 && !wanted.modifiedNow {
		wanted.modified = &moment{uint32(in.Mtime), in.Mtimensec}
	}
	who := asker(ctx)
	if opened, ok := open.(*openFile); ok && wanted.size != nil {
		who = opened.who // ftruncate goes by the rights at the time of opening
	}
	if failed := n.export.setattr(who, n.handle, wanted); failed != 0 {
		return failed
	}
	return n.Getattr(ctx, open, out)
}

const (
	mayRead, mayLookup, mayModify, mayExtend, mayDelete, mayExecute = 1, 2, 4, 8, 16, 32
)

func (n *node) Access(ctx context.Context, mask uint32) syscall.Errno {
	var wanted uint32
	if mask&4 != 0 {
		wanted |= mayRead
	}
	if mask&2 != 0 {
		wanted |= mayModify | mayExtend
	}
	if mask&1 != 0 {
		wanted |= mayExecute
		if n.IsDir() {
			wanted = wanted&^mayExecute | mayLookup
		}
	}
	if wanted == 0 {
		return 0
	}
	given, failed := n.export.access(asker(ctx), n.handle, wanted)
	if failed == 0 && given&wanted != wanted {
		return syscall.EACCES
	}
	return failed
}

func (n *node) Readlink(ctx context.Context) ([]byte, syscall.Errno) {
	return n.export.readlink(asker(ctx), n.handle)
}

func (n *node) Readdir(ctx context.Context) (fs.DirStream, syscall.Errno) {
	found, failed := n.export.readdir(asker(ctx), n.handle)
	if failed != 0 {
		return nil, failed
	}
	entries := make([]fuse.DirEntry, 0, len(found))
	for _, each := range found {
		entries = append(entries, fuse.DirEntry{Name: each.name, Ino: each.number, Mode: kinds[each.kind]})
	}
	return fs.NewListDirStream(entries), 0
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	mode &= 0o7777
	found, about, failed := n.export.mkdir(asker(ctx), n.handle, name, changes{mode: &mode})
	if failed != 0 {
		return nil, failed
	}
	return n.child(ctx, found, about, out), 0
}

func (n *node) Mknod(ctx context.Context, name string, mode, device uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	bits := mode & 0o7777
	wanted := changes{mode: &bits}
	var found handle
	var about attributes
	var failed syscall.Errno
	if mode&syscall.S_IFMT == syscall.S_IFREG || mode&syscall.S_IFMT == 0 {
		found, about, failed = n.export.create(asker(ctx), n.handle, name, true, wanted)
	} else {
		kind := uint32(0)
		for each, mask := range kinds {
			if mask == mode&syscall.S_IFMT {
				kind = each
			}
		}
		found, about, failed = n.export.mknod(asker(ctx), n.handle, name, kind, device>>8, device&0xff, wanted)
	}
	if failed != 0 {
		return nil, failed
	}
	return n.child(ctx, found, about, out), 0
}

func (n *node) Symlink(ctx context.Context, to, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	found, about, failed := n.export.symlink(asker(ctx), n.handle, name, to)
	if failed != 0 {
		return nil, failed
	}
	return n.child(ctx, found, about, out), 0
}

func (n *node) Link(ctx context.Context, to fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	of, ok := to.(*node)
	if !ok {
		return nil, syscall.EXDEV
	}
	if failed := n.export.link(asker(ctx), of.handle, n.handle, name); failed != 0 {
		return nil, failed
	}
	return n.Lookup(ctx, name, out)
}

// Unlink hides a file that somebody has open under another name, as every NFS client does: the
// server knows nothing of open files, and would take the content away from under them.
func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	if child := n.GetChild(name); child != nil {
		if found, ok := child.Operations().(*node); ok && found.hide(ctx, n, name) {
			return 0
		}
	}
	return n.export.remove(asker(ctx), n.handle, name)
}

func (n *node) hide(ctx context.Context, in *node, name string) bool {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.opens == 0 || n.hidden != nil {
		return false
	}
	other := fmt.Sprintf(".nfs%016x%04x", n.StableAttr().Ino, os.Getpid()&0xffff)
	if in.export.rename(asker(ctx), in.handle, name, in.handle, other) != 0 {
		return false
	}
	n.hidden = &hiding{in: in, name: other}
	return true
}

func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	return n.export.rmdir(asker(ctx), n.handle, name)
}

func (n *node) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	into, ok := to.(*node)
	if !ok {
		return syscall.EXDEV
	}
	if flags != 0 {
		return syscall.EINVAL // neither exchange nor "not over another": the protocol has neither
	}
	return n.export.rename(asker(ctx), n.handle, name, into.handle, newName)
}

func (n *node) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	found, failed := n.export.fsstat(asker(ctx))
	if failed != 0 {
		return failed
	}
	out.Bsize, out.Frsize, out.NameLen = 4096, 4096, 255
	out.Blocks, out.Bfree, out.Bavail = found.total/4096, found.free/4096, found.available/4096
	out.Files, out.Ffree = found.files, found.freeFiles
	return 0
}

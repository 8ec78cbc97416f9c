"""The program that works on a guest's files from outside, and finds its partition. Pure text.

It is Perl because every Proxmox VE host has it, and because it can shut itself into the guest's
file system before it opens anything: a link that a participant has made leads nowhere else, and
nothing of the guest is ever run.
"""

from __future__ import annotations

PROGRAM = r"""
use strict;
use warnings;
use Cwd ();
use Fcntl qw(:DEFAULT :mode);
use POSIX ();

# The partition with a Linux system: by its kind in a GPT, else the first one in an old table.
sub start_of {
    my ($device) = @_;
    open(my $disk, '<:raw', $device) or die "$device: $!\n";
    my $take = sub {
        my ($at, $count) = @_;
        sysseek($disk, $at, 0);
        my $got = sysread($disk, my $piece, $count);
        return defined($got) && $got == $count ? $piece : '';
    };
    my $head = $take->(512, 92);
    if (substr($head, 0, 8) eq 'EFI PART') {
        my ($table, $count, $size) = unpack('Q<L<L<', substr($head, 72, 16));
        my %found;
        for my $number (0 .. ($count > 128 ? 128 : $count) - 1) {
            my $entry = $take->($table * 512 + $number * $size, 48) or last;
            my ($kind, $first) = (unpack('H32', $entry), unpack('Q<', substr($entry, 32, 8)));
            $found{$kind} //= $first * 512;
        }
        for my $kind ('e3bc684fcde8b14d96e7fbcaf984b709', 'af3dc60f838472478e793d69d8477de4') {
            return $found{$kind} if defined $found{$kind};
        }
        die "there is no partition with a Linux system on it\n";
    }
    my $old = $take->(0, 512);
    if (substr($old, 510, 2) eq "\x55\xaa") {
        for my $number (0 .. 3) {
            my $entry = substr($old, 446 + 16 * $number, 16);
            return 512 * unpack('L<', substr($entry, 8, 4)) if ord(substr($entry, 4, 1)) == 0x83;
        }
    }
    return 0;
}

sub mode_of {
    my ($mode) = @_;
    my $text = S_ISDIR($mode) ? 'd' : S_ISLNK($mode) ? 'l' : S_ISREG($mode) ? '-'
        : S_ISCHR($mode) ? 'c' : S_ISBLK($mode) ? 'b' : S_ISFIFO($mode) ? 'p' : 's';
    for my $shift (6, 3, 0) {
        my $bits = $mode >> $shift;
        $text .= ($bits & 4 ? 'r' : '-') . ($bits & 2 ? 'w' : '-') . ($bits & 1 ? 'x' : '-');
    }
    substr($text, 3, 1) = substr($text, 3, 1) eq 'x' ? 's' : 'S' if $mode & 04000;
    substr($text, 6, 1) = substr($text, 6, 1) eq 'x' ? 's' : 'S' if $mode & 02000;
    substr($text, 9, 1) = substr($text, 9, 1) eq 'x' ? 't' : 'T' if $mode & 01000;
    return $text;
}

sub show {
    my ($name, $path) = @_;
    my @is = lstat($path) or die "$path: $!\n";
    my $to = S_ISLNK($is[2]) ? ' -> ' . (readlink($path) // '?') : '';
    my $time = POSIX::strftime('%Y-%m-%d %H:%M', gmtime($is[9]));
    my $line = sprintf('%s %5d %5d %10d %s %s%s', mode_of($is[2]), @is[4, 5, 7], $time, $name, $to);
    $line =~ s/[\x00-\x1f\x7f]/?/g;
    print "$line\n";
}

sub list {
    my ($path) = @_;
    return show($path, $path) if !-d $path;
    opendir(my $folder, $path) or die "$path: $!\n";
    show($_, "$path/$_") for sort grep { !/^\.\.?$/ } readdir($folder);
}

sub get {
    my ($path) = @_;
    die "$path: " . (-e $path ? 'is no plain file' : 'No such file or directory') . "\n"
        if !-f $path;
    open(my $file, '<:raw', $path) or die "$path: $!\n";
    binmode(STDOUT);
    while (sysread($file, my $piece, 1 << 16)) {
        print STDOUT $piece or die "cannot be told: $!\n";
    }
}

# All is here and on the disk before the old content goes; owner and mode stay.
sub put {
    my ($path, $size) = @_;
    binmode(STDIN);
    my $content = do { local $/; <STDIN> } // '';
    die "broke off in the middle; nothing was changed\n" if length($content) != $size;
    my $there = -e $path;
    die "$path: is no plain file\n" if $there && !-f $path;
    my $real = $there ? Cwd::realpath($path) : $path;
    my @is = $there ? stat($real) : ();
    my $fresh = "$real.practicum-$$";
    sysopen(my $file, $fresh, O_WRONLY | O_CREAT | O_EXCL, 0600) or die "$path: $!\n";
    my $done = eval {
        binmode($file);
        print {$file} $content or die "$!\n";
        $file->flush or die "$!\n";
        chown($there ? @is[4, 5] : (0, 0), $fresh) or die "$!\n";
        chmod($there ? $is[2] & 07777 : 0644, $fresh) or die "$!\n";
        $file->sync or die "$!\n";
        close($file) or die "$!\n";
        rename($fresh, $real) or die "$!\n";
    };
    if (!$done) {
        my $why = $@;
        unlink($fresh);
        die "$path: $why";
    }
}

my ($do, $root, $path, $size) = @ARGV;
eval {
    if ($do eq 'start') {
        print start_of($root), "\n";
        exit 0;
    }
    require IO::Handle;
    POSIX::tzset();
    my @now = gmtime(0);
    chroot($root) or die "$root: $!\n";
    chdir('/') or die "/: $!\n";
    $path = "/$path" if $path !~ m{^/};
    $do eq 'ls' ? list($path) : $do eq 'get' ? get($path) : put($path, $size);
    close(STDOUT) or die "$!\n";
    1;
} or do {
    print STDERR $@;
    exit 1;
};
"""
"""Arguments: `ls`, `get` or `put`, the folder, a path in it, and for `put` the number of bytes that
come; or `start` and a disk, for where its system's partition begins, in bytes."""

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""seccomp.py OUT: writes the system-call filter of a sandbox (a deny list: Python and Ansible use a wide set)."""
import sys

sys.path.pop(0)  # this file has the name of the library it needs
import errno
import seccomp

DENIED = """
    mount umount2 pivot_root chroot unshare setns fsopen fsconfig fsmount fspick move_mount open_tree mount_setattr
    ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise
    bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register memfd_secret
    keyctl add_key request_key open_by_handle_at name_to_handle_at personality
    kexec_load kexec_file_load init_module finit_module delete_module
    swapon swapoff reboot acct quotactl quotactl_fd syslog settimeofday clock_settime clock_adjtime adjtimex
    iopl ioperm modify_ldt lookup_dcookie nfsservctl vhangup fanotify_init landlock_create_ruleset
""".split()
CLONE_NEWUSER = 0x10000000
NETLINK, PACKET, ALG, VSOCK = 16, 17, 38, 40

rules = seccomp.SyscallFilter(seccomp.ALLOW)
for name in DENIED:
    try:
        rules.add_rule(seccomp.ERRNO(errno.EPERM), name)
    except (ValueError, RuntimeError) as fault:  # a call this kernel or library does not know cannot be made either
        print(f"seccomp: {name}: {fault}", file=sys.stderr)
rules.add_rule(seccomp.ERRNO(errno.EPERM), "clone", seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER))
# A filter cannot read its flags, which lie in memory; without clone3 libc falls back to clone.
rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
for family in (NETLINK, PACKET, ALG, VSOCK):
    rules.add_rule(seccomp.ERRNO(errno.EAFNOSUPPORT), "socket", seccomp.Arg(0, seccomp.EQ, family))
# TIOCSTI, which types into the terminal that started the service.
rules.add_rule(seccomp.ERRNO(errno.EPERM), "ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, 0x5412))
with open(sys.argv[1], "wb") as out:
    rules.export_bpf(out)

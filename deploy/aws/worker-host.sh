#!/bin/bash
# A host of workers alone. Docker's own list of system calls keeps a process without capabilities from making user namespaces, of which the
# sandbox is made, and Amazon ECS cannot give a task another list: so the host's list is another one. It refuses what Docker's refuses for
# being able to change the host; each sandbox has a stricter list of its own (docs/security.md).
set -euo pipefail
cat > /etc/docker/netautomation-seccomp.json <<'JSON'
{
  "defaultAction": "SCMP_ACT_ALLOW",
  "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
  "syscalls": [
    {
      "action": "SCMP_ACT_ERRNO",
      "errnoRet": 1,
      "names": [
        "acct", "add_key", "adjtimex", "bpf", "clock_adjtime", "clock_settime", "create_module", "delete_module", "fanotify_init",
        "finit_module", "get_kernel_syms", "get_mempolicy", "init_module", "io_uring_enter", "io_uring_register", "io_uring_setup",
        "ioperm", "iopl", "kcmp", "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mbind", "move_pages",
        "name_to_handle_at", "nfsservctl", "open_by_handle_at", "perf_event_open", "process_vm_readv", "process_vm_writev", "ptrace",
        "query_module", "quotactl", "reboot", "request_key", "set_mempolicy", "settimeofday", "stime", "swapoff", "swapon", "syslog",
        "uselib", "userfaultfd", "ustat", "vm86", "vm86old"
      ]
    }
  ]
}
JSON
jq -n '{"seccomp-profile": "/etc/docker/netautomation-seccomp.json", "log-driver": "awslogs"}' > /etc/docker/daemon.json
sysctl -w user.max_user_namespaces=65536
cat > /etc/ecs/ecs.config <<CONFIG
ECS_CLUSTER=${Cluster}
ECS_AWSVPC_BLOCK_IMDS=true
ECS_DISABLE_PRIVILEGED=true
ECS_CONTAINER_STOP_TIMEOUT=120s
CONFIG
systemctl restart docker

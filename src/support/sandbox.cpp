#include "support/sandbox.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace onnxcompat {
namespace {

// Rights by the version of the interface that brought them [landlock(7)]; headers may be older than
// the kernel.
constexpr std::uint64_t kAllRights1 = (std::uint64_t{1} << 13) - 1;
constexpr std::uint64_t kRefer = std::uint64_t{1} << 13;     // 2
constexpr std::uint64_t kTruncate = std::uint64_t{1} << 14;  // 3
constexpr std::uint64_t kIoctl = std::uint64_t{1} << 15;     // 5
constexpr std::uint64_t kAllNetwork = 3;                     // 4: TCP bind, connect
constexpr std::uint64_t kAllScopes = 3;                      // 6: abstract sockets, signals

constexpr std::uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr std::uint64_t kReadRights = kReadFile | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWriteRights = kReadRights | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                       LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                       LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                       LANDLOCK_ACCESS_FS_REMOVE_DIR | kRefer | kTruncate;
constexpr std::uint64_t kFileRights = kReadFile | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;

struct Ruleset {
  std::uint64_t handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;
  std::uint64_t scoped = 0;
};

/// How much of the structure a version knows; it refuses what is longer and not zero.
std::size_t size_for(int version) {
  if (version < 4) return offsetof(Ruleset, handled_access_net);
  return version < 6 ? offsetof(Ruleset, scoped) : sizeof(Ruleset);
}

void allow(int ruleset, const std::filesystem::path& path, std::uint64_t rights) {
  const int descriptor = ::open(path.c_str(), O_PATH | O_CLOEXEC);
  if (descriptor < 0) return;
  struct stat status {};
  if (::fstat(descriptor, &status) == 0) {
    if (!S_ISDIR(status.st_mode)) rights &= kFileRights;
    const landlock_path_beneath_attr rule{.allowed_access = rights, .parent_fd = descriptor};
    ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  }
  ::close(descriptor);
}

/// The version of Landlock in force, or 0.
int restrict_files(const SandboxPlaces& places) {
  const auto version = static_cast<int>(
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
  if (version < 1) return 0;
  Ruleset wanted;
  wanted.handled_access_fs = kAllRights1;
  if (version >= 2) wanted.handled_access_fs |= kRefer;
  if (version >= 3) wanted.handled_access_fs |= kTruncate;
  if (version >= 5) wanted.handled_access_fs |= kIoctl;
  if (version >= 4) wanted.handled_access_net = kAllNetwork;
  if (version >= 6) wanted.scoped = kAllScopes;
  const auto ruleset =
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &wanted, size_for(version), 0));
  if (ruleset < 0) return 0;
  for (const auto& path : places.read) {
    allow(ruleset, path, kReadRights & wanted.handled_access_fs);
  }
  for (const auto& path : places.write) {
    allow(ruleset, path, kWriteRights & wanted.handled_access_fs);
  }
  const bool done = ::syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  ::close(ruleset);
  return done ? version : 0;
}

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t kArchitecture = 0;
#endif

// What no reader or converter of models has a use for.
constexpr std::uint32_t kForbidden[] = {
    SYS_execve,
    SYS_execveat,
    SYS_socket,
    SYS_socketpair,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kill,
    SYS_tkill,
    SYS_pidfd_open,
    SYS_pidfd_getfd,
    SYS_pidfd_send_signal,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_unshare,
    SYS_setns,
    SYS_fsopen,
    SYS_fsmount,
    SYS_open_tree,
    SYS_move_mount,
    SYS_mount_setattr,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_userfaultfd,
    SYS_memfd_create,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    SYS_personality,
    SYS_quotactl,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_mknodat,
    SYS_shmget,
    SYS_msgget,
    SYS_semget,
#if defined(__x86_64__)
    SYS_fork,
    SYS_vfork,
    SYS_mknod,
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
#endif
};

constexpr std::uint32_t kNumberAt = offsetof(seccomp_data, nr);
constexpr std::uint32_t kArchitectureAt = offsetof(seccomp_data, arch);
constexpr std::uint32_t low_word_of(int argument) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args)) +
         static_cast<std::uint32_t>(argument) * 8;
}

sock_filter load(std::uint32_t at) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at); }
sock_filter answer(std::uint32_t action) { return BPF_STMT(BPF_RET | BPF_K, action); }
sock_filter unless_equal(std::uint32_t value, std::uint8_t skip) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip);
}

/// A program for the kernel [seccomp(2)]: what is forbidden fails with EPERM.
std::vector<sock_filter> filter() {
  constexpr std::uint32_t kDenied = SECCOMP_RET_ERRNO | EPERM;
  std::vector<sock_filter> code = {load(kArchitectureAt),
                                   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0),
                                   answer(SECCOMP_RET_KILL_PROCESS), load(kNumberAt)};
#if defined(__x86_64__)
  constexpr std::uint32_t kX32 = 0x4000'0000;  // the same calls by other numbers
  code.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kX32, 0, 1));
  code.push_back(answer(SECCOMP_RET_KILL_PROCESS));
#endif
  for (const std::uint32_t number : kForbidden) {
    code.push_back(unless_equal(number, 1));
    code.push_back(answer(kDenied));
  }
  // Threads, but no processes; clone3() keeps its flags where no filter sees them, and libc does
  // without it.
  code.push_back(unless_equal(SYS_clone3, 1));
  code.push_back(answer(SECCOMP_RET_ERRNO | ENOSYS));
  code.push_back(unless_equal(SYS_clone, 3));
  code.push_back(load(low_word_of(0)));
  code.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0));
  code.push_back(answer(kDenied));
  code.push_back(load(kNumberAt));
  // Limits may be read, not set: prlimit64(pid, resource, new, old).
  code.push_back(unless_equal(SYS_prlimit64, 5));
  code.push_back(load(low_word_of(2)));
  code.push_back(unless_equal(0, 2));
  code.push_back(load(low_word_of(2) + 4));
  code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0));
  code.push_back(answer(kDenied));
  code.push_back(load(kNumberAt));
  code.push_back(unless_equal(SYS_setrlimit, 1));
  code.push_back(answer(kDenied));
  code.push_back(answer(SECCOMP_RET_ALLOW));
  return code;
}

bool restrict_calls() {
  if constexpr (kArchitecture == 0) return false;
  std::vector<sock_filter> code = filter();
  const sock_fprog program{.len = static_cast<unsigned short>(code.size()), .filter = code.data()};
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

std::string enter_sandbox(const SandboxPlaces& places) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return "files: no sandbox; system calls: any";
  const int landlock = restrict_files(places);
  const bool seccomp = restrict_calls();
  return fmt::format("files: {}; system calls: {}",
                     landlock > 0 ? fmt::format("Landlock {}", landlock) : "no sandbox",
                     seccomp ? "seccomp" : "any");
}

}  // namespace onnxcompat

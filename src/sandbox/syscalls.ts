/**
 * What the edge may not ask the kernel for, most of it from its first moment on, the rest once it listens. The numbers are those of x86-64 and of arm64 (the generic
 * table); `undefined` where an architecture has no such call. Everything that is not here stays: Node needs most of it.
 */

/** What a forbidden call comes to. */
export type Consequence =
  /** The process is ended: nothing that belongs to the edge makes this call by mistake. */
  | 'end'
  /** EPERM. */
  | 'refuse'
  /** ENOSYS, as on a kernel that does not have it: libraries then take the older call. */
  | 'absent';

/** One condition on an argument, on its lower 32 bits. */
export type Condition =
  /** Some of these bits are set. */
  | { readonly argument: number; readonly bits: number }
  /** None of these bits is set. */
  | { readonly argument: number; readonly without: number }
  | { readonly argument: number; readonly is: number }
  /** The argument, all 64 bits, is not this process. */
  | { readonly argument: number; readonly notSelf: true }
  /** All 64 bits: a pointer that is not null. */
  | { readonly argument: number; readonly given: true };

export interface ForbiddenCall {
  readonly name: string;
  readonly x64: number | undefined;
  readonly arm64: number | undefined;
  readonly why: string;
  readonly comesTo: Consequence;
  /** Forbidden once everything listens; all others are forbidden before the edge begins. */
  readonly late?: true;
  /** Forbidden only where this holds. */
  readonly where?: Condition;
}

/** Numbers above this one were given out after this table was written: what they do cannot be judged here. */
export const LAST_KNOWN_CALL = 469;

type Numbers = readonly [name: string, x64: number | undefined, arm64: number | undefined];

interface Group {
  readonly why: string;
  readonly comesTo: Consequence;
  readonly late?: true;
  readonly calls: readonly Numbers[];
}

const always: readonly Group[] = [
  {
    why: 'a program started from here would be somebody else with the sockets of the edge',
    comesTo: 'end',
    late: true,
    calls: [
      ['execve', 59, 221],
      ['execveat', 322, 281],
    ],
  },
  {
    why: 'the edge needs no process beside itself',
    comesTo: 'refuse',
    calls: [
      ['fork', 57, undefined],
      ['vfork', 58, undefined],
    ],
  },
  {
    why: 'reading and steering other processes',
    comesTo: 'end',
    calls: [
      ['ptrace', 101, 117],
      ['process_vm_readv', 310, 270],
      ['process_vm_writev', 311, 271],
      ['kcmp', 312, 272],
      ['pidfd_getfd', 438, 438],
      ['process_madvise', 440, 440],
      ['process_mrelease', 448, 448],
    ],
  },
  {
    why: 'a handle on another process',
    comesTo: 'refuse',
    calls: [
      ['pidfd_open', 434, 434],
      ['pidfd_send_signal', 424, 424],
    ],
  },
  {
    why: 'signals that carry what the sender says',
    comesTo: 'refuse',
    calls: [
      ['rt_sigqueueinfo', 129, 138],
      ['rt_tgsigqueueinfo', 297, 240],
      ['tkill', 200, 130],
    ],
  },
  {
    why: 'everything listens already; a new socket could only lead elsewhere',
    comesTo: 'refuse',
    late: true,
    calls: [
      ['socket', 41, 198],
      ['socketpair', 53, 199],
      ['connect', 42, 203],
      ['bind', 49, 200],
      ['listen', 50, 201],
    ],
  },
  {
    why: 'a ring would make calls that no filter sees',
    comesTo: 'absent',
    calls: [
      ['io_uring_setup', 425, 425],
      ['io_uring_enter', 426, 426],
      ['io_uring_register', 427, 427],
    ],
  },
  {
    why: 'another kernel, or code in this one',
    comesTo: 'end',
    calls: [
      ['kexec_load', 246, 104],
      ['kexec_file_load', 320, 294],
      ['init_module', 175, 105],
      ['finit_module', 313, 273],
      ['delete_module', 176, 106],
      ['bpf', 321, 280],
    ],
  },
  {
    why: 'a wide way into the kernel that nothing here goes',
    comesTo: 'refuse',
    calls: [
      ['perf_event_open', 298, 241],
      ['userfaultfd', 323, 282],
      ['modify_ldt', 154, undefined],
      ['iopl', 172, undefined],
      ['ioperm', 173, undefined],
      ['syslog', 103, 116],
      ['acct', 163, 89],
      ['quotactl', 179, 60],
      ['quotactl_fd', 443, 443],
      ['personality', 135, 92],
      ['reboot', 169, 142],
      ['swapon', 167, 224],
      ['swapoff', 168, 225],
      ['vhangup', 153, 58],
      ['nfsservctl', 180, 42],
      ['lookup_dcookie', 212, 18],
      ['fanotify_init', 300, 262],
      ['fanotify_mark', 301, 263],
    ],
  },
  {
    why: 'keys of the kernel',
    comesTo: 'refuse',
    calls: [
      ['add_key', 248, 217],
      ['request_key', 249, 218],
      ['keyctl', 250, 219],
    ],
  },
  {
    why: 'another view of files, or of everything',
    comesTo: 'refuse',
    calls: [
      ['mount', 165, 40],
      ['umount2', 166, 39],
      ['mount_setattr', 442, 442],
      ['move_mount', 429, 429],
      ['open_tree', 428, 428],
      ['open_tree_attr', 467, 467],
      ['fsopen', 430, 430],
      ['fsconfig', 431, 431],
      ['fsmount', 432, 432],
      ['fspick', 433, 433],
      ['pivot_root', 155, 41],
      ['chroot', 161, 51],
      ['unshare', 272, 97],
      ['setns', 308, 268],
    ],
  },
  {
    why: 'files by handle pass every rule about paths',
    comesTo: 'refuse',
    calls: [
      ['name_to_handle_at', 303, 264],
      ['open_by_handle_at', 304, 265],
    ],
  },
  {
    why: 'who it is was settled before it began',
    comesTo: 'refuse',
    calls: [
      ['setuid', 105, 146],
      ['setgid', 106, 144],
      ['setreuid', 113, 145],
      ['setregid', 114, 143],
      ['setresuid', 117, 147],
      ['setresgid', 119, 149],
      ['setgroups', 116, 159],
      ['setfsuid', 122, 151],
      ['setfsgid', 123, 152],
      ['capset', 126, 91],
    ],
  },
  {
    why: 'its bounds were settled before it began',
    comesTo: 'refuse',
    calls: [['setrlimit', 160, 164]],
  },
  {
    why: 'the clock is not its own',
    comesTo: 'refuse',
    calls: [
      ['settimeofday', 164, 170],
      ['clock_settime', 227, 112],
      ['clock_adjtime', 305, 266],
      ['adjtimex', 159, 171],
    ],
  },
  {
    why: 'the name of the machine is not its own',
    comesTo: 'refuse',
    calls: [
      ['sethostname', 170, 161],
      ['setdomainname', 171, 162],
    ],
  },
  {
    why: 'it changes no file',
    comesTo: 'refuse',
    calls: [
      ['creat', 85, undefined],
      ['rename', 82, undefined],
      ['renameat', 264, 38],
      ['renameat2', 316, 276],
      ['unlink', 87, undefined],
      ['unlinkat', 263, 35],
      ['rmdir', 84, undefined],
      ['mkdir', 83, undefined],
      ['mkdirat', 258, 34],
      ['mknod', 133, undefined],
      ['mknodat', 259, 33],
      ['link', 86, undefined],
      ['linkat', 265, 37],
      ['symlink', 88, undefined],
      ['symlinkat', 266, 36],
      ['truncate', 76, 45],
      ['chmod', 90, undefined],
      ['fchmod', 91, 52],
      ['fchmodat', 268, 53],
      ['fchmodat2', 452, 452],
      ['chown', 92, undefined],
      ['fchown', 93, 55],
      ['lchown', 94, undefined],
      ['fchownat', 260, 54],
      ['setxattr', 188, 5],
      ['lsetxattr', 189, 6],
      ['fsetxattr', 190, 7],
      ['setxattrat', 463, 463],
      ['removexattr', 197, 14],
      ['lremovexattr', 198, 15],
      ['fremovexattr', 199, 16],
      ['removexattrat', 466, 466],
      ['utimensat', 280, 88],
      ['utime', 132, undefined],
      ['utimes', 235, undefined],
      ['futimesat', 261, undefined],
      ['file_setattr', 469, 469],
    ],
  },
  {
    why: 'its flags lie in memory that may change while they are looked at',
    comesTo: 'absent',
    calls: [['openat2', 437, 437]],
  },
  {
    why: 'memory shared with others',
    comesTo: 'refuse',
    calls: [
      ['shmget', 29, 194],
      ['shmat', 30, 196],
      ['shmctl', 31, 195],
      ['msgget', 68, 186],
      ['msgsnd', 69, 189],
      ['msgrcv', 70, 188],
      ['msgctl', 71, 187],
      ['semget', 64, 190],
      ['semop', 65, 193],
      ['semtimedop', 220, 192],
      ['semctl', 66, 191],
      ['mq_open', 240, 180],
      ['mq_unlink', 241, 181],
      ['memfd_secret', 447, 447],
    ],
  },
];

const CLONE_THREAD = 0x0001_0000;
/** O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, and the bit that makes O_TMPFILE. */
const WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000;
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;

const sometimes: readonly ForbiddenCall[] = [
  {
    ...{ name: 'clone', x64: 56, arm64: 220 },
    ...{ comesTo: 'refuse', why: 'threads, but no process beside itself' },
    where: { argument: 0, without: CLONE_THREAD },
  },
  {
    ...{ name: 'clone3', x64: 435, arm64: 435 },
    ...{ comesTo: 'absent', why: 'its flags lie in memory: the C library falls back on clone' },
  },
  {
    ...{ name: 'open', x64: 2, arm64: undefined },
    ...{ comesTo: 'refuse', why: 'it changes no file' },
    where: { argument: 1, bits: WRITING },
  },
  {
    ...{ name: 'openat', x64: 257, arm64: 56 },
    ...{ comesTo: 'refuse', why: 'it changes no file' },
    where: { argument: 2, bits: WRITING },
  },
  {
    ...{ name: 'kill', x64: 62, arm64: 129 },
    ...{ comesTo: 'refuse', why: 'signals to others: where it is no user of its own, to the core' },
    where: { argument: 0, notSelf: true },
  },
  {
    ...{ name: 'tgkill', x64: 234, arm64: 131 },
    ...{ comesTo: 'refuse', why: 'signals to others: where it is no user of its own, to the core' },
    where: { argument: 0, notSelf: true },
  },
  {
    ...{ name: 'prlimit64', x64: 302, arm64: 261 },
    ...{ comesTo: 'refuse', why: 'its bounds were settled before it began' },
    where: { argument: 2, given: true },
  },
  {
    ...{ name: 'ioctl', x64: 16, arm64: 29 },
    ...{ comesTo: 'refuse', why: 'typing into a terminal that it might have' },
    where: { argument: 1, is: TIOCSTI },
  },
  {
    ...{ name: 'ioctl', x64: 16, arm64: 29 },
    ...{ comesTo: 'refuse', why: 'typing into a terminal that it might have' },
    where: { argument: 1, is: TIOCLINUX },
  },
];

/** The table. A call stands in it more than once where several conditions forbid it. */
export const forbiddenCalls: readonly ForbiddenCall[] = [
  ...always.flatMap(({ calls, ...rest }) => calls.map(([name, x64, arm64]) => ({ name, x64, arm64, ...rest }))),
  ...sometimes,
];

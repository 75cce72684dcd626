/**
 * A program for Windows that sends a console event, such as Ctrl-C, to a process, by a remote thread that
 * runs CtrlRoutine. Arguments: the process id and the number of the event.
 */
import { dlopen, FFIType } from "bun:ffi";

const ALL_ACCESS = 0x1f_ff_ff;

const { ptr, u32, u64, i32, cstring } = FFIType;

const { symbols: kernel } = dlopen("kernel32.dll", {
  OpenProcess: { args: [u32, i32, u32], returns: ptr },
  GetModuleHandleA: { args: [cstring], returns: ptr },
  GetProcAddress: { args: [ptr, cstring], returns: ptr },
  CreateRemoteThread: { args: [ptr, ptr, u64, ptr, u64, u32, ptr], returns: ptr },
});

const [processId = 0, event = 0] = process.argv.slice(2).map(Number);
const other = kernel.OpenProcess(ALL_ACCESS, 0, processId);
const library = kernel.GetModuleHandleA(Buffer.from("kernel32.dll\0"));
// kernel32.dll, and so CtrlRoutine, has the same address in every process.
const routine = kernel.GetProcAddress(library, Buffer.from("CtrlRoutine\0"));
const thread = kernel.CreateRemoteThread(other, null, 0n, routine, BigInt(event), 0, null);
if (thread === null) throw new Error(`process ${processId} could not be told of event ${event}`);

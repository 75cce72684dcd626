import { closeSync, fsyncSync, openSync, unlinkSync, writeSync } from "node:fs";

/*
 * Receives files from socket-sender.ts: 8 bytes of length, the content, then the MD5. Answers with one byte
 * when the file is complete and flushed to the disk. Argument: path prefix of the files to write, to which a
 * number is added. Sends its port to the parent process.
 */

const HEADER_BYTES = 8;
const MD5_BYTES = 16;

interface Incoming {
  /**
   * Path of the file. Each connection has its own, because on a long link a connection may end after the next
   * one began.
   */
  path: string;
  file: number;
  hash: Bun.CryptoHasher;
  /** Number of bytes of the file still missing; null: the length has not arrived yet. */
  left: number | null;
  /** Received bytes of the length or the MD5, while these are incomplete. */
  rest: Buffer;
}

const [path = ""] = process.argv.slice(2);

/**
 * Processes received bytes.
 * @returns whether the whole file and its MD5 have arrived
 */
function take(incoming: Incoming, bytes: Buffer): boolean {
  let data = bytes;
  if (incoming.left === null) {
    data = Buffer.concat([incoming.rest, data]);
    incoming.rest = data;
    if (data.length < HEADER_BYTES) return false;
    incoming.left = Number(data.readBigUInt64BE());
    data = data.subarray(HEADER_BYTES);
    incoming.rest = Buffer.alloc(0);
  }
  const content = data.subarray(0, incoming.left);
  incoming.hash.update(content);
  for (let at = 0; at < content.length;) at += writeSync(incoming.file, content, at);
  incoming.left -= content.length;
  incoming.rest = Buffer.concat([incoming.rest, data.subarray(content.length)]);
  return incoming.rest.length >= MD5_BYTES;
}

let connections = 0;
const server = Bun.listen<Incoming>({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open(socket) {
      const hash = new Bun.CryptoHasher("md5");
      const own = `${path}.${++connections}`;
      const file = openSync(own, "w");
      socket.data = { path: own, file, hash, left: null, rest: Buffer.alloc(0) };
    },
    data(socket, bytes) {
      if (!take(socket.data, bytes)) return;
      fsyncSync(socket.data.file);
      if (!socket.data.hash.digest().equals(socket.data.rest)) throw new Error("another MD5");
      socket.write("1");
    },
    close(socket) {
      closeSync(socket.data.file);
      unlinkSync(socket.data.path);
    },
  },
});
process.send?.(server.port);

import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/*
 * Sends a file to socket-receiver.ts when the parent process sends a port, and reports when the receiver has
 * confirmed the file. Argument: the path of the file.
 */

const PIECE = 1024 * 1024;

const [path = ""] = process.argv.slice(2);

async function send(port: number): Promise<void> {
  let drained = Promise.withResolvers<void>();
  const confirmed = Promise.withResolvers<void>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      drain: () => drained.resolve(),
      data: () => confirmed.resolve(),
      close: () => confirmed.reject(new Error("the receiver went away")),
    },
  });
  const write = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length;) {
      drained = Promise.withResolvers();
      at += socket.write(bytes.subarray(at));
      if (at < bytes.length) await drained.promise;
    }
  };
  const file = openSync(path, "r");
  const hash = new Bun.CryptoHasher("md5");
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(fstatSync(file).size));
  await write(length);
  const piece = Buffer.alloc(PIECE);
  for (let read; (read = readSync(file, piece)) > 0;) {
    const bytes = piece.subarray(0, read);
    hash.update(bytes);
    await write(bytes);
  }
  await write(hash.digest());
  closeSync(file);
  await confirmed.promise;
  socket.end();
}

process.on("message", async (port: number) => {
  await send(port);
  process.send?.("sent");
});

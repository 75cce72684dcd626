import { argv } from "node:process";

/*
 * WebSockets that never say who they are; each one that is cut off is opened again. Arguments: the
 * server's WebSocket URL, how many.
 */

/** Before a socket is opened again, in ms. */
const PAUSE = 50;

const [url = "", count = ""] = argv.slice(2);

for (let n = 0; n < Number(count); n++) open();

function open(): void {
  const socket = new WebSocket(url, { protocols: ["fds.v1"] });
  socket.addEventListener("close", () => setTimeout(open, PAUSE));
}

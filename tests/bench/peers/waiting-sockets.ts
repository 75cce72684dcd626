import { argv } from "node:process";

/*
 * Opens WebSockets that never register as a client. A socket that is closed is opened again. Arguments: the
 * server's WebSocket URL, the number of sockets.
 */

/** Pause before a closed socket is opened again, in ms. */
const PAUSE = 50;

const [url = "", count = ""] = argv.slice(2);

for (let n = 0; n < Number(count); n++) open();

function open(): void {
  const socket = new WebSocket(url, { protocols: ["fds.v1"] });
  socket.addEventListener("close", () => setTimeout(open, PAUSE));
}

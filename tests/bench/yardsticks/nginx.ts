import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort, untilListening } from "../core/ports.ts";
import { secondsOf } from "../core/scenario.ts";
import { runTool, startTool } from "./tools.ts";
import type { YardstickSpec } from "./yardstick.ts";

/** curl sends the file to nginx while md5sum reads the source. Then md5sum reads the received file. */
export const nginx: YardstickSpec = {
  name: "curl to nginx, md5sum at both ends",
  tools: ["nginx", "curl", "md5sum"],
  async open(file, folder) {
    const port = await freePort();
    const own = join(folder, `nginx-${port}`);
    await mkdir(join(own, "files"), { recursive: true });
    await writeFile(join(own, "nginx.conf"), configOf(own, port));
    const daemon = startTool("nginx", ["-p", own, "-c", join(own, "nginx.conf")]);
    await untilListening(port, "nginx");
    const target = join(own, "files/sent.bin");
    const carryAndCheck = async () => {
      const url = `http://127.0.0.1:${port}/sent.bin`;
      const [sent] = await Promise.all([
        runTool("md5sum", [file]),
        runTool("curl", ["--noproxy", "*", "-sfT", file, url]),
      ]);
      const came = await runTool("md5sum", [target]);
      if (came.slice(0, 32) !== sent.slice(0, 32)) throw new Error("nginx has another file");
    };
    return {
      async carry() {
        const seconds = await secondsOf(carryAndCheck);
        await rm(target);
        return seconds;
      },
      async [Symbol.asyncDispose]() {
        daemon.kill();
        await daemon.exited;
      },
    };
  },
};

function configOf(folder: string, port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  // If started by root, nginx's workers would run as another user, who may not write to the folder.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  return `${user}
daemon off;
pid ${folder}/pid;
error_log ${folder}/error.log;
events {}
http {
  access_log off;
  client_max_body_size 0;
  ${temporary.join("\n  ")}
  server {
    listen 127.0.0.1:${port};
    root ${folder}/files;
    dav_methods PUT;
  }
}
`;
}

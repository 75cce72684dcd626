import { Program } from "./programs.ts";
import { type ScriptedConnection, ScriptedServer } from "./scripted-server.ts";

/** The real client "site-1", registered with a server that says what a test makes it say. */
export class ScriptedServerClient implements AsyncDisposable {
  private constructor(
    readonly server: ScriptedServer,
    readonly client: Program,
    /** The client's first connection. */
    readonly connection: ScriptedConnection,
  ) {}

  /**
   * @param folder with the client's root, in `root`
   * @param flags of the client, beside its root
   */
  static async start(
    folder: string,
    flags: string[] = ["--state-dir", "state"],
  ): Promise<ScriptedServerClient> {
    const server = new ScriptedServer();
    const argv = ["client.ts", "--id", "site-1", "--server", server.url, "--root", "root"];
    const starting = Program.start({
      name: "client",
      folder,
      argv: [...argv, ...flags],
      env: {},
      ready: /registered as site-1/,
    });
    const connection = await server.accept();
    await connection.admit();
    return new ScriptedServerClient(server, await starting, connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

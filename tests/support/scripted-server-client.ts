import { Program } from "./programs.ts";
import { type ScriptedConnection, ScriptedServer } from "./scripted-server.ts";

/** The real client "site-1", registered with a {@link ScriptedServer}. */
export class ScriptedServerClient implements AsyncDisposable {
  private constructor(
    readonly server: ScriptedServer,
    readonly client: Program,
    /** The client's first connection. */
    readonly connection: ScriptedConnection,
  ) {}

  /**
   * Starts the server and the client, and registers the client.
   * @param folder the working directory, which holds the client's root folder `root`
   * @param flags further flags of the client
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

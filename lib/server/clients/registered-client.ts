import type { Probed } from "../../protocol/messages.ts";

/** What is known of a client while it is connected. */
export interface RegisteredClient {
  clientId: string;
  keyHash: string;
  /** Most bytes in a frame, as agreed. */
  chunkSize: number;
  connectedAt: number;
  /** What it can do beyond single files, as FEATURES of the protocol names it. */
  features: ReadonlySet<string>;
}

/** What a client hears that asked whether it may register. */
export type ProbeAnswer = Pick<Probed, "version" | "enrols" | "connected">;

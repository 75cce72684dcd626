import type { FileSettings } from "../../util/settings-file.ts";
import type { FlagSettings } from "./given-settings.ts";
import type { Installation, ServicePaths, Service } from "./service.ts";

/** The flags, the existing settings and the token from which an installation is prepared. */
export interface InstallRequest {
  service: Service;
  paths: ServicePaths;
  flags: FlagSettings;
  /**
   * The settings of the existing settings file, overridden by the settings of the file that `--config` names.
   */
  baseSettings: FileSettings;
  /** The settings of the file that `--config` names. Empty without `--config`. */
  configSettings: FileSettings;
  /** The text of the existing settings file. Empty where there is none. */
  existingText: string;
  enrolToken: string | null;
}

/** The settings, enrolment token, folders and rights of an installation, without its service and paths. */
export interface PreparedInstallation extends Omit<Installation, keyof Service | "paths"> {
  /** A short description of what is installed, for the user. */
  title: string;
  /** Tasks that are left for the user, one sentence each. */
  notes: string[];
}

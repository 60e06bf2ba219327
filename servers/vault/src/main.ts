/** The vault's process (docs/architecture.md). Started by the supervisor. */
import { serve } from "@trefoil/service";
import { vault } from "./vault.ts";

serve(vault);

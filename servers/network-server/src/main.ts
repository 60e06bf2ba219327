/** The network-server's process (docs/architecture.md). Started by the supervisor. */
import { serve } from "@trefoil/service";
import { networkServer } from "./network-server.ts";

serve(networkServer);

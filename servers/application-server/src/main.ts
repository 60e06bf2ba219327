import { serve } from "@trefoil/service";
import { definition } from "./definition.ts";

serve(definition);

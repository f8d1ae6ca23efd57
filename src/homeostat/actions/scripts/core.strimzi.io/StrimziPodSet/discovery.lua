local rolling = annotation("strimzi.io/manual-rolling-update") == "true"
return {["rolling-update"] = action("redo", "Rolling Update", rolling and "it is asked for already")}

return {refresh = action("redo", "Refresh")}

return {restart = action("redo", "Restart")}

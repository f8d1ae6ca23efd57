local suspended = at("spec", "suspend")
return {
  reconcile = action("sync", "Reconcile", suspended and "it is suspended"),
  suspend = action("pause", "Suspend", suspended and "it is suspended already"),
  resume = action("play", "Resume", not suspended and "it is not suspended"),
}

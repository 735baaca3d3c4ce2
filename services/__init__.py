"""Everything that is not a screen: engine, runs, web, command line. Nothing here imports dash."""

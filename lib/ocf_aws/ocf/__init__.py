"""The frame that any OCF agent needs: declaration, environment, deadline, log, exit status. It knows no AWS and no kernel."""

import os
import sys

# What the live tests wait with serves here, too.
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "live"))

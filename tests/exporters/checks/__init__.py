"""One module a format. Each says in TOOL which package opens the file (and in VERSION which one it found), loads the exported file in it,
and compares what the tool then holds with Lathe's own numbers:

    COMPARED           what is compared, in words
    check(case, path)  a list of faults, empty where the tool agrees
    corrupt(path)      changes the file at `path` as a slip of the exporter would; check must find it
"""

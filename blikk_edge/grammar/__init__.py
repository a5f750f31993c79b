"""The toolbox that declares what may stand in `blikk.yaml`: types of values, keys and sections, problems, secrets."""
